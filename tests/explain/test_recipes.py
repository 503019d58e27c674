"""What can be explained, and what is refused before anything runs, with the fix."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent))  # for `explained`

from explained import SHAKEN, recipe

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.explain.design import Design, Pruning, outcomes
from prunescope.explain.factors import FACTORS
from prunescope.explain.study import explain
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.studies.summary import described


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune": ps.Prune(), "fraction": 0.3}, "leave fraction out"),
        ({"levels": 0}, "levels=0: input should be greater than or equal to 1"),
        ({"replicates": 1}, "replicates=1: input should be greater than or equal to 2"),
        ({"prune": ps.Prune(amount=Sparsity(final=0.5))}, "level 2 cannot be reached.*give levels=1"),
        ({"prune": ps.Prune(amount=Remaining(fraction=0.99)), "levels": 9}, "level 5 cannot be reached"),
        ({"prune": ps.Prune(amount=Remaining(fraction=0.9)), "size": "narrower"}, "the narrowest .* prune less"),
        ({"prune": 0.3}, "prune=0.3 is no pruning; give a ps.Prune"),
        ({"prune": ps.Prune(when=ps.At(at="1ep"))}, "at its start, and Prune.* does not; leave when= out"),
        ({"rewind": "3ep"}, "rewind='3ep' leaves nothing of length='3ep' to train; give an earlier position"),
        ({"factors": FACTORS[:2]}, "no pruning: that network is not disturbed, chosen; give those of"),
        ({"factors": ()}, "that network is not replayed, small, disturbed, chosen"),
        (
            {"factors": (*FACTORS, replace(SHAKEN, needs=frozenset())), "orders": "two"},
            "'noise' is the same network as 'dense'; say by needs=",
        ),
        ({"factors": (*FACTORS, replace(SHAKEN, given=lambda arm: None))}, "factor 'noise' gives None; return the arm"),
        ({"factors": FACTORS[0]}, "factors are Factor.*; give a tuple of Factor"),
        ({"factors": (*FACTORS, FACTORS[0])}, "choice, time; give each a name of its own"),
        ({"factors": (*FACTORS, replace(FACTORS[0], name="pruning"))}, "other than 'pruning'"),
        ({"factors": (*FACTORS, replace(SHAKEN, needs=frozenset({"tme"})))}, "a factor needs tme, and there are time"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_fix(changes, message):
    with pytest.raises(UsageError, match=message):
        explain(recipe(), **changes)


LABELS = ps.Reading(measure=ps.Labels(split="train"), state=ps.final(recipe()))
HALF = {"name": "label", "fold": 0, "folds": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stop": ps.LossBelow(loss=0.1)}, "LossBelow.* ends a run, later events of pruning would be left out"),
        (
            {"examples": ps.Subset(source=LABELS, rule="prunescope.studies.subsets:without_fold", args=HALF)},
            "not known while its examples are a Subset; give a task those",
        ),
    ],
)
def test_a_recipe_in_which_events_of_pruning_have_no_place_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        explain(recipe(**changes))


def test_a_schedule_of_fewer_steps_than_events_is_told():
    assert not any("several come at once" in note for note in explain(recipe(length="7it")).notes)
    assert "7 events of pruning share a schedule of 6 steps" in explain(recipe(length="6it")).notes[-1]


def test_what_is_no_recipe_is_refused():
    with pytest.raises(UsageError, match=r"'my_recipe.py' is no recipe; give a ps.Recipe"):
        explain("my_recipe.py")


def test_labels_are_not_flipped_by_two_shares_of_which_one_would_count():
    noisy = ps.with_data(recipe(), label_noise=0.4)
    with pytest.raises(UsageError, match=r"noise=0.2 beside a recipe with label_noise=0.4; leave one of them out"):
        explain(noisy, noise=0.2)
    assert explain(noisy).settings.recipe.task.data.label_noise == 0.4


def test_a_study_made_in_python_says_how_far_it_prunes_and_is_registered_by_it():
    mild, strong = (explain(recipe(), fraction=fraction, replicates=2) for fraction in (0.1, 0.5))
    by_prune = explain(recipe(), prune=ps.Prune(amount=Remaining(fraction=0.5)), replicates=2)
    assert len({mild.settings.id, strong.settings.id, by_prune.settings.id}) == 2
    assert described(strong.settings)["how"]["prune"]["amount"]["fraction"] == 0.5
    assert described(strong.settings)["how"]["levels"] == 7
    assert described(strong.settings)["recipe"]["batch"] == recipe().batch


def test_a_recipe_that_begins_late_has_its_events_in_what_it_trains():
    late = Design(recipe(begin="2ep"), ps.Prune(), Pruning(levels=2, replicates=2), FACTORS, None)
    (run, _) = late.recipes(frozenset({"size", "disturbance"}))
    assert [part.when.at for part in run.interventions] == ["1it", "2it"] and run.steps == 3


def huber(outputs, y):
    """A loss of one's own."""
    return torch.nn.functional.huber_loss(outputs[:, 0], y.float(), reduction="none")


def test_only_the_loss_of_the_target_is_in_its_unit():
    units = [outcomes(task)[1].unit for task in (recipe().task, recipe().task.replace(loss=huber))]
    assert units == ["nats", "unit of the loss"]


def test_a_factory_without_scale_gets_random_masks_and_the_report_says_so():
    network = ps.network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=16, classes=4)
    task = ps.Task(network=network.replace(args={"hidden": [4], "inputs": 16, "classes": 4}), data=recipe().task.data)
    study = explain(recipe(task=task), replicates=2)
    assert "random mask" in study.notes[0] and "no argument 'scale'" in study.notes[0]
    with pytest.raises(UsageError, match="no argument 'scale'"):
        explain(recipe(task=task), replicates=2, size="narrower")


def test_a_recipe_that_is_pruned_already_is_refused():
    with pytest.raises(UsageError, match="a dense recipe has no interventions"):
        explain(ps.at_init(recipe(), ps.Prune()))


def test_one_test_example_is_refused():
    task = recipe().task.replace(data=ps.Data(source=ps.synthetic(train=96, test=1)))
    with pytest.raises(UsageError, match="1 test examples say nothing"):
        explain(recipe(task=task))


def test_the_package_answers_to_the_name_of_its_function():
    assert ps.explain(recipe(), replicates=2).name == "explain"
