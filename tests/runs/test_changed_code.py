"""Code behind stored runs: what counts as another network, loss or measure, and what changed unseen."""

import pytest
import torch
from brought import HalfFrozen, Linear, Recurrent, recipe_of
from specimens import risk
from torch import nn
from torch.nn import functional as F

from prunescope.base.errors import CodeChanged, UsageError
from prunescope.measures import Measure
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.machine.inspections import inspect

pytestmark = pytest.mark.usefixtures("another_process")


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
