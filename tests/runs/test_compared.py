"""Comparisons as nodes: two states, which may be of different networks, read like one."""

from typing import ClassVar

import pytest
import torch
from specimens import recipe as make_recipe

from prunescope.base.errors import UsageError
from prunescope.measures import Barrier, Comparison, LayerDistance
from prunescope.measures.measure import same_examples
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.execution.queue import label
from prunescope.runs.graph.families import dense, final, imp
from prunescope.runs.graph.given import Given, given
from prunescope.runs.graph.nodes import Chosen, Compared, runs_of
from prunescope.runs.store import housekeeping
from prunescope.runs.store.plan import plan
from prunescope.tasks.evaluation import logits
from prunescope.tasks.nets import LeNet


class Disagreement(Comparison):
    """Share of test examples on which two networks, of whatever kind, predict another class."""

    one_network: ClassVar[bool] = False

    def compare(self, first, second):
        split = same_examples(first, second, "test")
        one, other = (logits(state.problem, state.weights, split).argmax(1) for state in (first, second))
        return {"share": (one != other).double().mean()}


def net(hidden: int = 8, seed: int = 0) -> LeNet:
    torch.manual_seed(seed)
    return LeNet(hidden=(hidden,), inputs=16, classes=4)


def state(hidden: int = 8, seed: int = 0):
    return given(net(hidden, seed), make_recipe(hidden=(hidden,)).task)


def test_two_levels_of_a_chain_are_compared_after_both_are_trained(store):
    chain = imp(make_recipe(length="1ep"), levels=1)
    node = Compared(comparison=LayerDistance(), first=final(chain[0]), second=final(chain[1]))
    todo = plan([node], store)
    assert todo.waits[node.id] == {chain[0].id, chain[1].id}
    results = ensure(node, store=store, workers=1)
    assert float(results[node]["second_sparsity"]) == pytest.approx(0.2, abs=0.01)
    assert float(results[node]["first_sparsity"]) == 0
    assert not plan([node], store).work


def test_networks_of_different_widths_are_compared_where_the_comparison_permits_it(store):
    node = Compared(comparison=Disagreement(), first=state(8), second=state(5))
    share = float(ensure(node, store=store, workers=1)[node]["share"])
    arrays = make_recipe().task.data.source.load()
    x = arrays.test_x.take(torch.arange(len(arrays.test_x)))
    with torch.no_grad():
        assert share == float((net(8)(x).argmax(1) != net(5)(x).argmax(1)).double().mean()) > 0
    with pytest.raises(UsageError, match="Barrier pairs every tensor with its partner"):
        Compared(comparison=Barrier(), first=state(8), second=state(5))


def test_states_with_other_data_are_not_compared():
    other = make_recipe().task
    other = other.replace(data=other.data.replace(source=other.data.source.replace(digest="0" * 32)))
    with pytest.raises(UsageError, match="compares answers to the same examples"):
        Compared(
            comparison=Disagreement(), first=state(), second=given(net(), make_recipe().task).replace(run=_of(other))
        )


def _of(task):

    return Given(task=task, tensors="1" * 32)


def test_it_has_a_price_a_label_and_keeps_both_of_its_runs_from_gc(store):
    first, second = state(seed=0), state(seed=1)
    node = Compared(comparison=LayerDistance(), first=first, second=second)
    todo = plan([node], store)
    assert prepare(todo, store, workers=1).seconds[node.id] > 0
    assert label(node) == f"LayerDistance of {first.run.id[:8]} and {second.run.id[:8]}"
    ensure(node, store=store, workers=1)
    assert housekeeping.garbage(store, {"it": [node.id]}).runs == ()
    assert set(housekeeping.garbage(store, {"no": []}).runs) == {first.run.id, second.run.id}


def test_a_chosen_run_may_be_one_of_the_two():
    runs = tuple(imp(make_recipe(), levels=1))
    chosen = Chosen(among=runs, inputs=(), rule="specimens:best")
    node = Compared(comparison=LayerDistance(), first=final(chosen), second=final(dense(runs[0])))
    assert runs_of(node) == list(runs)


def test_the_order_of_the_two_and_the_settings_are_in_the_id():
    pair = {"first": state(seed=0), "second": state(seed=1)}
    turned = {"first": pair["second"], "second": pair["first"]}
    nodes = [Compared(comparison=Barrier(), **pair), Compared(comparison=Barrier(), **turned)]
    nodes.append(Compared(comparison=Barrier(points=5), **pair))
    assert len({node.id for node in nodes}) == 3
