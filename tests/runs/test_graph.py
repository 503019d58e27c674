import copy
import pickle

import pytest
from specimens import recipe as make_recipe
from specimens import risk

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import replicate
from prunescope.measures import Examples, Risk
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Chosen, Combined, Reading, Trace, closure, describe
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.runs.store.plan import Job
from prunescope.training.probes import Curve


def test_everything_needed_comes_first(recipe):
    chain = imp(recipe, levels=3, rewind="1ep", retrain="weight")
    reading = risk(chain[3])
    order = list(closure([reading]))
    for key, node in closure([reading]).items():
        assert all(order.index(value.id) < order.index(key) for value in node.references)
    assert [key for key in order if key in {run.id for run in chain}] == [run.id for run in chain]


def test_a_subset_needs_what_it_looks_at(recipe):
    seen = Reading(measure=Examples(), state=final(recipe))
    part = recipe.replace(examples=Subset(source=seen, rule="specimens:hardest", args={"count": 4}))
    assert seen.id in closure([part])


def test_what_is_no_node_is_refused(recipe):
    with pytest.raises(UsageError, match="Risk is no node; give recipes, readings"):
        closure([Risk()])


def test_a_state_belongs_to_a_run():
    with pytest.raises(UsageError, match="not a recipe"):
        StateRef(run=Risk())


def test_a_choice_among_nothing_is_refused():
    with pytest.raises(UsageError, match="nothing to choose among"):
        Chosen(among=(), inputs=(), rule="specimens:best")


def test_ids_tell_moments_measures_probes_and_functions_apart(recipe):
    nodes = [
        risk(recipe),
        risk(recipe, Moment(when="step", at="3it")),
        risk(recipe, Moment(when="after", at="3it")),
        Reading(measure=Risk(split="train"), state=final(recipe)),
        Trace(probe=Curve(), run=recipe),
        Trace(probe=Curve(every="2ep"), run=recipe),
        Combined(function="specimens:gap", inputs=(risk(recipe),)),
        Combined(function="specimens:gap", inputs=(risk(recipe), risk(recipe))),
        risk(recipe.replace(seeds=replicate(1))),
    ]
    assert len({node.id for node in nodes}) == len(nodes)


def test_a_description_names_what_it_refers_to(recipe):
    level = imp(recipe, levels=1)[1]
    told = describe(level)
    assert told["start"] == {"run": recipe.id, "moment": "final"}
    assert told["interventions"][0]["amount"] == {"kind": "Remaining", "fraction": 0.2}
    assert describe(risk(level))["state"]["run"] == level.id


@pytest.mark.parametrize("depth", [60, 300, 3000])
def test_a_lineage_may_be_longer_than_the_stack(depth):
    deep = imp(make_recipe(), levels=depth)[-1]
    assert len(deep.id) == 32
    copied = pickle.loads(pickle.dumps(Job(deep))).recipe
    assert isinstance(copied, Recipe)
    assert copied is not deep
    assert copied == deep
    assert copied.start == deep.start
    assert copy.deepcopy(deep) == deep
    assert len(repr(deep)) < 900
    assert len(closure([risk(copied)])) == 2 * depth + 3


def test_the_canonical_text_of_a_new_deep_recipe_is_there_at_once():
    deep = imp(make_recipe(), levels=2000)[-1]
    assert deep.start.id in deep.canonical
    assert hash(imp(make_recipe(), levels=2000)[-1]) == hash(deep)


def test_a_pickled_lineage_is_small():
    lineage = imp(make_recipe(), levels=100)
    assert len(pickle.dumps(lineage[-1])) < 40_000
