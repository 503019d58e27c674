"""What stands between a network that somebody brings and the first step: looks, notes, and the code of stored runs."""

import numpy as np
import pytest
import torch
from specimens import risk
from torch import nn
from torch.nn import functional as F

from prunescope.base.errors import CodeChanged, PrunescopeError, UsageError
from prunescope.base.reference import FINAL
from prunescope.measures import Measure
from prunescope.runs.execution.ensure import FailedRuns, ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.execution.status import Display
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine import inspections
from prunescope.runs.machine.inspections import inspect
from prunescope.runs.machine.loader import LRU
from prunescope.runs.store.plan import plan
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.tasks.task import Task
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


def data(count=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    return torch.randn(count, 4, 6, generator=generator) + y[:, None, None], y


def recipe_of(factory, **more):
    task = Task.from_module(factory, train=data(), test=data(24, 1), **more)
    return Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=16, length="2ep")


@pytest.fixture(autouse=True)
def another_process(monkeypatch):
    """Nothing was looked at yet."""

    def forget():
        monkeypatch.setattr(inspections, "_INSPECTED", LRU(256))

    forget()
    return forget


class Notes(Display):
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


class Linear(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.r, self.o = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.o(self.r(x)[0][:, -1])


class Tuple(Linear):
    def forward(self, x):
        return super().forward(x), x


class HalfFrozen(Linear):
    def __init__(self):
        super().__init__()
        self[1].requires_grad_(False)


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


# -- identity


CELL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(24, 8), nn.Linear(8, 3)
    def forward(self, x):
        return self.b({act}(self.a(x.flatten(1))))
"""


def cell(act):
    namespace = {"__name__": "__main__", "nn": nn, "torch": torch}
    exec(CELL.format(act=act), namespace)
    return namespace["Net"]


def test_a_cell_that_was_edited_and_run_again_trains_anew(store, tmp_path):
    first, second = (risk(recipe_of(cell(act))) for act in ("torch.relu", "torch.tanh"))
    ensure(first, store=store, workers=1)
    loss = float(ensure(second, store=store, workers=1)[second]["loss"])
    assert loss == float(ensure(second, store=tmp_path / "alone", workers=1)[second]["loss"])
    assert first.id == risk(recipe_of(cell("torch.relu"))).id


def stored_facts(store):
    (path,) = (store.root / "networks").iterdir()
    key = f"networks/{path.name}"
    return key, store.read_json(key)


@pytest.mark.parametrize("name", ["logits", "training"])
def test_other_outputs_than_those_of_stored_runs_are_noticed_though_all_is_stored(store, name, another_process):
    run = recipe_of(Linear)
    ensure(run, store=store, workers=1)
    key, facts = stored_facts(store)
    store.write_json(key, facts | {name: [value + 0.1 for value in facts[name]]})
    another_process()
    with pytest.raises(CodeChanged, match=r"Linear changed.*outputs.*revision \(now 1\)"):
        ensure(run, store=store, workers=1)


def test_a_store_of_before_is_read_where_the_same_was_prunable_and_nothing_frozen(store, another_process):
    run = recipe_of(Linear)
    ensure(run, store=store, workers=1)
    key, facts = stored_facts(store)
    store.write_json(key, {name: facts[name] for name in ("shapes", "logits")})
    another_process()
    ensure(run, store=store, workers=1)
    assert store.read_json(key) == facts


@pytest.mark.parametrize(("net", "what"), [(Recurrent, "prunable tensors"), (HalfFrozen, "frozen tensors")])
def test_runs_under_the_old_rule_are_not_mixed_with_those_under_the_new_one(store, net, what, another_process):
    run = recipe_of(net)
    ensure(run, store=store, workers=1)
    key, facts = stored_facts(store)
    store.write_json(key, {name: facts[name] for name in ("shapes", "logits")})
    another_process()
    with pytest.raises(CodeChanged, match=what):
        ensure(run, store=store, workers=1)


def halved(logits, y):
    return F.cross_entropy(logits, y, reduction="none") / 2


def larger(values):
    return {"loss": max(value["loss"] for value in values)}


@pytest.mark.parametrize("name", ["halved", "larger"])
def test_code_behind_a_path_that_changed_since_is_noticed(store, name, monkeypatch):
    if name == "halved":
        node = recipe_of(Linear, loss=f"{__name__}:halved")
    else:
        node = Combined(function=f"{__name__}:larger", inputs=(risk(recipe_of(Linear)),))
    ensure(node, store=store, workers=1)
    monkeypatch.setitem(globals(), name, lambda *args: 1 / 0)
    with pytest.raises(CodeChanged, match=f"{name} changed since the .* that names it was made; make it again"):
        ensure(node, store=store, workers=1)


RATE = 1.0


class Scaled(Measure):
    """Reads a global."""

    def measure(self, problem, weights):
        return {"rate": torch.tensor(RATE)}


def test_a_global_that_a_measure_or_a_network_reads_counts(store, monkeypatch):
    class Reads(Linear):
        def forward(self, x):
            return RATE * super().forward(x)

    runs = [recipe_of(Reads), recipe_of(Reads())]
    nodes = [Reading(measure=Scaled(), state=final(recipe_of(Linear))), *runs]
    assert float(ensure(nodes, store=store, workers=1)[nodes[0]]["rate"]) == 1
    monkeypatch.setitem(globals(), "RATE", 2.0)
    for node, name in zip(nodes, ("Scaled", "Reads", "Reads"), strict=True):
        with pytest.raises(CodeChanged, match=name):
            ensure(node, store=store, workers=1)
    again = Reading(measure=Scaled(), state=nodes[0].state)
    assert float(ensure(again, store=store, workers=1)[again]["rate"]) == 2
    assert recipe_of(Reads).id != runs[0].id


CALLS = 0


class CountingCalls(nn.Module):
    """Is nothing from the hundredth call on."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(24, 3)

    def forward(self, x):
        global CALLS
        CALLS += 1
        return self.layer(x.flatten(1)) * (CALLS < 100)


def test_a_global_that_passes_change_is_refused():
    with pytest.raises(UsageError, match=r"passes of CountingCalls, or its loss, change a global.*register_buffer"):
        inspect(recipe_of(CountingCalls))


def test_a_file_that_a_factory_reads_is_noticed(store, tmp_path):
    torch.save(torch.eye(3), tmp_path / "table.pt")

    class FromFile(Linear):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.load(tmp_path / "table.pt", weights_only=True))

        def forward(self, x):
            return super().forward(x) @ self.table

    run = recipe_of(FromFile)
    ensure(run, store=store, workers=1)
    torch.save(2 * torch.eye(3), tmp_path / "table.pt")
    with pytest.raises(CodeChanged, match="outputs"):
        ensure(run, store=store, workers=1)
    raised = recipe_of(FromFile, revision=2)
    assert raised in ensure(raised, store=store, workers=1)


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
