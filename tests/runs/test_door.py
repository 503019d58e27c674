"""What stands between a network that somebody brings and the first step: looks and notes."""

import numpy as np
import pytest
import torch
from brought import HalfFrozen, Linear, Recurrent, data, recipe_of
from specimens import Notes, risk
from torch import nn

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import FINAL
from prunescope.base.streams import Seeds
from prunescope.measures import Measure
from prunescope.runs.execution.ensure import FailedRuns, ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.machine import inspections
from prunescope.runs.machine.inspections import inspect, stored_notes
from prunescope.runs.store.plan import plan
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.tasks.task import Task
from prunescope.training.interventions import At, Prune

pytestmark = pytest.mark.usefixtures("another_process")


class Tuple(Linear):
    def forward(self, x):
        return super().forward(x), x


class Norms(nn.Module):
    """Trains scales only, as some studies of normalization do."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x.mean((1, 2))[:, None] * self.scale


def test_a_network_that_does_not_fit_is_refused_before_anything_trains(store):
    good, bad = recipe_of(Linear), recipe_of(Tuple)
    with pytest.raises(UsageError, match="output=0"):
        ensure(risk(good), risk(bad), store=store, workers=1)
    with pytest.raises(UsageError, match="output=0"):
        prepare(plan([bad], store), store, workers=1)
    with pytest.raises(UsageError, match="output=0"):
        inspect(bad)
    assert not store.known_runs([good.id, bad.id])
    named = recipe_of(Tuple, output=0)
    assert 0 <= float(ensure(risk(named), store=store, workers=1)[risk(named)]["error"]) <= 1


def test_what_is_unusual_is_noted_and_what_is_usual_is_not(store):
    notes, frozen = Notes(), recipe_of(HalfFrozen)
    ensure(recipe_of(Linear), store=store, workers=1, display=notes)
    assert not notes.texts
    ensure(frozen, store=store, workers=1, display=notes)
    assert notes.texts == [inspect(frozen).sentence] and "1.bias, 1.weight frozen" in notes.texts[0]
    assert notes.texts == prepare(plan([frozen], store), store, workers=1).notes


def test_a_test_set_that_is_the_training_set_is_noted(store):
    recipe = recipe_of(Linear)
    leak = recipe.replace(task=Task.from_module(Linear, train=data(), test=data()))
    assert inspect(leak).sentence.endswith("the test examples are the training examples, so no number is of new ones")
    assert inspect(recipe).is_usual and not inspect(leak).is_usual
    (x, y), (other, label) = data(), data(24)
    mixed = torch.cat([other + 1, x[:3]]), torch.cat([label, y[:3]])
    some = recipe.replace(task=Task.from_module(Linear, train=(x, y), test=mixed))
    assert (
        f"of {len(mixed[0])} test examples are also training" in inspect(some).sentence and not inspect(some).is_usual
    )


@pytest.mark.parametrize("chosen", [{"share": 0.5}, {"validation": 12}, {"share": 0.4, "validation": 8}])
def test_a_leak_is_counted_against_the_examples_that_are_trained_on(store, chosen):
    (x, y), (other, label) = data(), data(24)
    for leak in range(0, 12, 3), range(5):
        test = torch.cat([other + 1, x[leak]]), torch.cat([label, y[leak]])
        task = Task.from_module(Linear, train=(x, y), test=test)
        some = recipe_of(Linear).replace(task=task.replace(data=task.data.replace(**chosen)))
        for recipe in (some.replace(task=task), *(some.replace(seeds=Seeds(data=seed)) for seed in range(3))):
            trained = x[recipe.task.load(recipe.seeds, recipe.task.data.source.load()).train.index]
            leaked = sum(any(torch.equal(one, row) for row in trained) for one in test[0])
            ensure(recipe, store=store, workers=1)
            notes = [note for note in stored_notes([recipe], store) if "test examples" in note]
            assert notes == [inspect(recipe).sentence][: leaked > 0]
            assert not leaked or (f"; {leaked} (" in notes[0] and "are also training examples" in notes[0])


def test_pruning_where_nothing_is_prunable_is_refused(store):
    chain = imp(recipe_of(Norms), levels=1)
    with pytest.raises(UsageError, match=r"Prune would remove nothing: Norms has no prunable weights.*prunable="):
        ensure(chain, store=store, workers=1)
    assert chain[0] in ensure(chain[0], store=store, workers=1)


@pytest.mark.parametrize("net", [Recurrent, Linear])
def test_what_is_said_to_be_sparse_is_sparse(store, net):
    run = imp(recipe_of(net), levels=3)[-1]
    said = float(ensure(run, store=store, workers=1)[run]["sparsity"])
    params = store.weights(run.id, FINAL.id).params
    matrices = [leaf for leaf in params.values() if leaf.ndim > 1]
    zeros = sum(int((leaf == 0).sum()) for leaf in matrices)
    assert said == pytest.approx(zeros / sum(leaf.numel() for leaf in matrices)) and said > 0.45


def test_frozen_tensors_of_a_stored_state_are_there_by_name(store):
    run = recipe_of(HalfFrozen)
    ensure(run, store=store, workers=1)
    weights = store.weights(run.id, FINAL.id)
    assert list(weights.params) == ["3.weight", "3.bias"]
    assert torch.equal(weights.params["1.weight"], weights.buffers["1.weight"])
    with pytest.raises(KeyError):
        weights.params["nowhere"]


class FirstLayer(Measure):
    """The norm of a frozen layer."""

    def measure(self, problem, weights):
        return {"norm": weights.params["1.weight"].norm(), "trained": torch.tensor(len(weights.params))}


def test_a_users_measure_finds_frozen_tensors_too(store):
    reading = Reading(measure=FirstLayer(), state=final(recipe_of(HalfFrozen)))
    values = ensure(reading, store=store, workers=1)[reading]
    assert float(values["norm"]) > 0 and int(values["trained"]) == 2


class Wasteful(Measure):
    """Works in the tensors that it is given, and draws."""

    def measure(self, problem, weights):
        drawn = torch.rand(()) + np.random.rand()  # noqa: NPY002
        return {"sum": sum(leaf.zero_().sum() for leaf in weights.params.values()) + drawn}


def test_a_measure_of_the_users_does_not_change_what_the_next_one_sees(store, tmp_path):
    run = recipe_of(HalfFrozen)
    alone = ensure(risk(run), store=tmp_path / "alone", workers=1)[risk(run)]
    wasteful = Reading(measure=Wasteful(), state=final(run))
    results = [ensure([wasteful, risk(run)], store=place, workers=1) for place in (store, tmp_path / "other")]
    assert all(float(found[risk(run)]["loss"]) == float(alone["loss"]) for found in results)
    assert float(results[0][wasteful]["sum"]) == float(results[1][wasteful]["sum"])


def test_an_arm_from_which_nothing_was_removed_is_no_pruned_one(store):
    few = Prune(amount=Sparsity(final=0.001), when=At(at="0it"))
    run = recipe_of(Linear).replace(interventions=(few,))
    with pytest.warns(FailedRuns, match="removes none"):
        results = ensure(run, store=store, workers=1)
    assert run not in results
    with pytest.raises(PrunescopeError, match=r"removes none of the 216 prunable weights.*ask for a larger share"):
        results[run]
    none = run.replace(interventions=(few.replace(amount=Remaining(fraction=0)),))
    assert float(ensure(none, store=store, workers=1)[none]["sparsity"]) == 0


def test_a_report_says_what_was_unusual(store):
    usual, frozen = recipe_of(Linear), recipe_of(HalfFrozen)
    ensure(usual, frozen, store=store, workers=1)
    assert inspections.stored_notes([usual, frozen, frozen], store) == [inspect(frozen).sentence]
