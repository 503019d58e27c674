"""Recipes: their ids, which stored results depend on, and what follows from them."""

from typing import get_args

import pytest

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds, replicate
from prunescope.base.value import Value
from prunescope.measures import Examples
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Everything, Fresh, Recipe, Subset
from prunescope.sparsity.scores import Random
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.digits import digits
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Prune, Rewind, Zero
from prunescope.training.optim import SGD, Adam
from prunescope.training.samplers import Balanced
from prunescope.training.schedules import Constant, Cosine
from prunescope.training.stopping import LossBelow


def on_digits() -> Recipe:
    net = network("prunescope.tasks.nets:LeNet", hidden=(128, 64), inputs=64)
    return Recipe(
        task=Task(network=net, data=Data(source=digits(), label_noise=0.15)),
        optimizer=SGD(momentum=0.9),
        schedule=Constant(lr=0.05),
        batch=64,
        length="40ep",
    )


# These ids name stored results. If one of them changes, every run that anybody has stored under it is orphaned and
# trained again: something that enters ids was renamed, or a default changed. Undo that, or say in the changelog that
# stores start anew, and only then write the new ids here.
PINNED = {
    "dense": "7865be73f3c0200c148fb34a787539df",
    "imp level 2": "c5389ce1a3d2903a0d0d6eac11dcb6f2",
    "weight rewinding level 1": "5a780760a499434dc8bc64b04e8f5167",
    "reading": "2d7958acf8fda83f7cefce92ab347378",
}


def test_ids_of_reference_recipes_do_not_change():
    chain = imp(on_digits(), levels=2)
    rewound = imp(on_digits(), levels=1, rewind="1ep", retrain="weight")
    found = {
        "dense": chain[0].id,
        "imp level 2": chain[2].id,
        "weight rewinding level 1": rewound[1].id,
        "reading": Reading(measure=Examples(), state=final(chain[2])).id,
    }
    assert found == PINNED


def test_level_two_says_where_it_comes_from_and_what_happens():
    base, first, second = imp(on_digits(), levels=2)
    assert second.start == StateRef(run=first) and first.start == StateRef(run=base)
    assert second.references == (StateRef(run=first),)
    assert isinstance(second.interventions[0], Prune)
    rewound = imp(on_digits(), levels=1, rewind="1ep", retrain="weight")[1]
    (rewind,) = (value for value in rewound.interventions if isinstance(value, Rewind))
    assert rewind.to == StateRef(run=base, moment=Moment(when="step", at="1ep"))
    assert set(rewound.references) == {rewound.start, rewind.to}


CHANGES = {
    "task": on_digits().task.replace(loss="prunescope.tasks.losses:squared_error"),
    "optimizer": Adam(),
    "schedule": Cosine(lr=0.05),
    "batch": 32,
    "length": "41ep",
    "begin": "1ep",
    "stop": LossBelow(loss=0.1),
    "precision": "bfloat16",
    "interventions": (Zero(),),
    "start": StateRef(run=on_digits()),
    "examples": Subset(source=Reading(measure=Examples(), state=StateRef(run=on_digits())), rule="a.module:worst"),
    "seeds": Seeds(order=1),
    "drop_last": True,
    "sampler": Balanced(),
}


def test_every_field_enters_the_id():
    assert CHANGES.keys() == Recipe.model_fields.keys()
    changed = {name: on_digits().replace(**{name: value}).id for name, value in CHANGES.items()}
    assert len({*changed.values(), on_digits().id}) == len(CHANGES) + 1


@pytest.mark.parametrize(
    "inner",
    [
        {"label_noise": 0.2},
        {"validation": 100},
        {"share": 0.5},
        {"source": digits(1000)},
        {"augmentation": (CropFlip(fill=(0.0,)),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_inside_a_field_enters_too(inner):
    base = on_digits()
    task = base.task.replace(data=base.task.data.replace(**inner))
    assert base.replace(task=task).id != base.id


def test_defaults_written_out_are_the_defaults():
    base = on_digits()
    assert base.replace(start=Fresh(), examples=Everything(), begin="0it", seeds=replicate(0)).id == base.id
    assert {Fresh, Everything} <= {*get_args(Recipe.model_fields["start"].annotation)} | {Everything}


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"length": "forty"}, {"precision": "float16"}, {"optimiser": SGD()}, {"task": "mnist"}],
    ids=lambda change: next(iter(change)),
)
def test_impossible_fields_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        on_digits().replace(**wrong)


def test_steps_are_counted_from_the_data():
    base = on_digits()
    assert base.train_examples == 1297 and base.clock() == Clock(epoch_steps=21, total=840)
    assert base.replace(begin="10ep").steps == 630
    data = base.task.data.replace(validation=97, share=0.5)
    assert base.replace(task=base.task.replace(data=data)).train_examples == 600
    assert base.clock(64 * 3 + 1) == Clock(epoch_steps=4, total=160)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"length": "0it"}, "is no training"),
        ({"length": "50%"}, "is no training"),
        ({"begin": "41ep"}, "rewind to an earlier position"),
    ],
)
def test_impossible_lengths_are_refused_with_the_fix(change, match):
    with pytest.raises(UsageError, match=match):
        on_digits().replace(**change).clock()


def test_what_is_no_training_and_no_seeds_is_refused_when_the_recipe_is_made():
    with pytest.raises(UsageError, match=r"Recipe.length='0.0ep': this is no training; give epochs \('40ep'\)"):
        on_digits().replace(length="0.0ep")
    with pytest.raises(UsageError, match=r"Recipe.seeds=0: give ps.Seeds\(init=0"):
        on_digits().replace(seeds=0)


def test_recipes_hold_values_only():
    with pytest.raises(UsageError):
        on_digits().replace(interventions=(Value(),))


@pytest.mark.parametrize("given", [Prune(), (Random(),), [Prune]], ids=["no tuple", "a score", "a class"])
def test_what_are_no_interventions_is_refused_with_the_form(given):
    with pytest.raises(UsageError, match=r"Recipe\.interventions\.0=.*give interventions in a tuple"):
        on_digits().replace(interventions=given)
