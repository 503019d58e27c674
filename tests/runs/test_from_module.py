"""Networks and data that prunescope has never seen."""

import functools
import json
import subprocess
import sys

import pytest
import torch
from specimens import contents, risk
from torch import nn

import prunescope as ps
from prunescope.base import tree
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.reference import FINAL
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import imp
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


class Unseen(nn.Module):
    """Keyword and default arguments, a convolution, a shared activation, a buffer of its own."""

    def __init__(self, channels: int = 3, *, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, channels, 3, bias=bias)
        self.head = nn.Linear(channels * 6, 3)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


def tensors(count=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    return torch.randn(count, 1, 8, generator=generator) + y.view(-1, 1, 1), y


def recipe_of(factory) -> Recipe:
    task = Task.from_module(factory, train=tensors(), test=tensors(seed=1))
    return Recipe(task=task, optimizer=SGD(momentum=0.9), schedule=Constant(lr=0.05), batch=16, length="4ep")


@pytest.mark.parametrize(
    "factory",
    [Unseen, functools.partial(Unseen, 4, bias=False), lambda: nn.Sequential(nn.Flatten(), nn.Linear(8, 3))],
)
def test_any_module_is_trained_and_pruned(factory, store):
    chain = imp(recipe_of(factory), levels=2)
    results = ensure([risk(run) for run in chain], store=store, workers=1)
    assert float(results[risk(chain[0])]["error"]) < 0.5
    assert float(results[chain[2]]["sparsity"]) == pytest.approx(0.36, abs=0.03)


def test_an_import_path_is_the_network_that_it_names():
    path = "prunescope.tasks.nets:LeNet"
    task = Task.from_module(path, train=tensors(), test=tensors(seed=1))
    assert task.network == ps.network(path)
    for wrong, says in (("nowhere:Net", "cannot be imported"), (7, "7 is no network; give a class")):
        with pytest.raises(UsageError, match=says):
            Task.from_module(wrong, train=tensors(), test=tensors(seed=1))
    with pytest.raises(UsageError, match="is no import path, 'package"):
        ps.network(Unseen)


def test_an_instance_starts_every_replicate_as_given(store):
    torch.manual_seed(3)
    given = Unseen()
    base = recipe_of(given).replace(length="1it", schedule=Constant(lr=1e-12))
    runs = [base, base.replace(seeds=base.seeds.replace(init=1))]
    ensure(runs, store=store, workers=1)
    for run in runs:
        params = store.weights(run.id, FINAL.id).params
        assert all(torch.allclose(params[name], leaf, atol=1e-9) for name, leaf in given.named_parameters())
    with torch.no_grad():
        given.head.bias += 1
    assert recipe_of(given).id != base.id


def test_code_that_changed_is_noticed_and_a_new_revision_helps(store, monkeypatch):
    base = recipe_of(Unseen)
    ensure(base, store=store, workers=1)
    monkeypatch.setattr(Unseen, "forward", lambda self, x: self.head(torch.tanh(self.conv(x)).flatten(1)))
    later = base.replace(seeds=base.seeds.replace(order=1))
    with pytest.raises(CodeChanged, match=r"raise its revision \(now 1\)"):
        ensure(later, store=store, workers=1)
    task = later.task
    raised = later.replace(task=task.replace(network=task.network.replace(revision=2)))
    assert raised in ensure(raised, store=store, workers=1)
    assert raised.id != later.id


MODULE = """
from torch import nn

class Elsewhere(nn.Sequential):
    def __init__(self, width=5):
        super().__init__(nn.Flatten(), nn.Linear(8, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3))
"""


@pytest.mark.slow
def test_a_users_module_in_worker_processes_gives_the_same_bits(store, tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "users_networks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "code")
    from users_networks import Elsewhere

    base = recipe_of(Elsewhere)
    nodes = [risk(run) for run in (*imp(base, levels=1), base.replace(seeds=base.seeds.replace(init=1)))]
    ensure(nodes, store=store, workers=2)
    ensure(nodes, store=tmp_path / "inline", workers=1)
    assert contents(store.root) == contents(tmp_path / "inline")
    first = store.weights(base.id, FINAL.id)
    assert not tree.equal(first.params, store.weights(nodes[2].state.run.id, FINAL.id).params)


SCRIPT = """
import functools, os, pathlib, sys, threading
import torch
from torch import nn
import prunescope as ps
from prunescope.runs.execution.status import Display

y = torch.arange(48) % 3
x = torch.randn(48, 1, 8, generator=torch.Generator().manual_seed(0)) + y.view(-1, 1, 1)
places = pathlib.Path(sys.argv[1])
SCALE, LOCK = 2.0, threading.Lock()

def loss(outputs, y):
    return SCALE * nn.functional.cross_entropy(outputs, y, reduction="none")

class Norm(ps.Measure):
    power: float = 2.0

    def measure(self, problem, weights):
        (places / str(os.getpid())).touch()
        return {"norm": sum((p.double().abs() ** self.power).sum() for p in weights.params.values())}

class Mine(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))

class Locked(Mine):
    def forward(self, x):
        with LOCK:
            return super().forward(x)

class Told(Display):
    def note(self, text):
        print("note:", text)

def base(network, **fields):
    task = ps.Task.from_module(network, train=(x, y), test=(x, y), **fields)
    return ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=16, length="2ep")

width = 6
def inside():
    return nn.Sequential(nn.Flatten(), nn.Linear(8, width), nn.Linear(width, 3))

torch.manual_seed(0)
networks = [Mine, lambda: Mine(), inside, Mine(), *([Locked] if sys.argv[2] == "locked" else [])]
runs = [run for network in networks for run in ps.imp(base(network, loss=loss), levels=1)]
nodes = [ps.Reading(measure=Norm(power=3.0), state=ps.final(run)) for run in runs]
results = ps.ensure(nodes, store=sys.argv[3], workers=int(sys.argv[4]), display=Told())
print("norms:", [float(results[node]["norm"]) for node in nodes], "here:", os.getpid())
"""


CELLS = """
import linecache, pathlib, re
for number, cell in enumerate(re.split("\\n\\n(?=[^ ])", pathlib.Path("script.py").read_text())):
    name = f"<cell {number}>"  # as IPython does
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile(cell, name, "exec"))
"""


@pytest.mark.slow
def test_what_a_script_or_a_notebook_defines_works_in_other_processes_with_the_same_bits(tmp_path):
    def told(places, *words):
        (tmp_path / places).mkdir()
        command = [sys.executable, *words[:-1], places, words[-1], f"store-{places}", "2"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        norms, _, here = done.stdout.partition("norms: ")[2].partition("here:")
        return json.loads(norms), here.strip(), {path.name for path in (tmp_path / places).iterdir()}, done.stdout

    (tmp_path / "script.py").write_text(SCRIPT)
    norms, here, places, said = told("alone", "script.py", "locked")
    assert (
        "note: the work cannot be sent to other processes (cannot pickle '_thread.lock' object): working here" in said
    )
    assert places == {here}
    again, here, places, said = told("spread", "-c", CELLS, "plain")
    assert again == norms[: len(again)] and len(again) == 8
    assert here not in places and places and "working here" not in said
    stored = [path.read_bytes() for path in (tmp_path / "store-spread").rglob("*") if path.is_file()]
    assert stored and not any(b"cloudpickle" in content for content in stored)


class Chosen(ps.Constant):
    def at(self, step, clock):
        return RATES[self.lr]


RATES = {1.0: None, 2.0: float("nan"), 3.0: -0.1}


@pytest.mark.parametrize("lr", RATES)
def test_a_schedule_without_a_rate_is_refused_before_any_work(lr, store):
    recipe = recipe_of(Unseen).replace(schedule=Chosen(lr=lr))
    for ask in (lambda: ps.inspect(recipe), lambda: ensure(recipe, store=store)):
        with pytest.raises(UsageError, match=r"Chosen\.at\(0, clock\)(: TypeError| returned .*; a rate is a number)"):
            ask()
