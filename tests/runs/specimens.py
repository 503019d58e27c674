"""Small recipes and a small study for the tests of `runs`; imported by tests and by the processes that they kill.

Belongs here: what several files use. Does not belong here: tests.
"""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Examples, Risk
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Message
from prunescope.runs.execution.status import Display, WorkStatus
from prunescope.runs.execution.workbench import Stopped
from prunescope.runs.graph.families import during_training, final, imp
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store import codec
from prunescope.runs.store.plan import Job
from prunescope.runs.store.store import Store
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Every, Noise, Zero
from prunescope.training.optim import SGD
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.schedules import Constant


def train(bench, recipe, *, moments=(), probes=(), beat=lambda steps: True):
    """Makes a run as workers do. Raises Stopped where `beat` stops it, and the error that it ended with."""
    said: list[Message] = []
    if not do(bench, Job(recipe, moments, probes), lambda run, steps: beat(steps), said.append):
        raise Stopped(recipe.id)
    if said[0].kind != "done":
        raise said[0].error(said[0].why)


class Normed(nn.Sequential):
    """Two layers with batch normalization between."""

    def __init__(self, hidden: int = 12) -> None:
        super().__init__(nn.Flatten(), nn.Linear(16, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 4))


class Failing(Normed):
    """Cannot be applied to a whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() > 200:
            raise ZeroDivisionError("the user's own mistake")
        return super().forward(x)


class Drawing(Normed):
    """Draws by itself while it trains, so that no stack gives what it gives alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x) if self.training else x)


class Deadly(Normed):
    """Ends the process that applies it, unless that is the first one."""

    def forward(self, x: Tensor) -> Tensor:
        if multiprocessing.parent_process() is not None:
            os._exit(3)
        return super().forward(x)


def best(values: list[dict[str, Any]], *, name: str = "error") -> int:
    """A rule of `Chosen`: the first of least error."""
    return int(np.argmin([value[name] for value in values]))


def hardest(values: list[dict[str, Any]] | dict[str, Any], *, count: int) -> Any:
    """A rule of `Subset`: the examples of highest loss."""
    assert isinstance(values, dict)
    return np.argsort(-values["loss"], kind="stable")[:count]


def beyond(values: dict[str, Any]) -> Any:
    """A rule of `Subset` that names an example that is not there."""
    return [0, 10**6]


def gap(values: list[dict[str, Any]]) -> dict[str, Any]:
    """A function of `Combined`: how much the losses of two readings differ."""
    return {"gap": values[0]["loss"] - values[1]["loss"]}


def recipe(*, path: str = "prunescope.tasks.nets:LeNet", length: str = "3ep", **args: Any) -> Recipe:
    """A run of milliseconds: 96 training examples, 3 steps an epoch."""
    if path.endswith(":LeNet"):
        args = {"hidden": (8,), "inputs": 16, "classes": 4} | args
    data = Data(source=synthetic(train=96, test=64), label_noise=0.2)
    return Recipe(
        task=Task(network=network(path, **args), data=data),
        optimizer=SGD(momentum=0.9, weight_decay=1e-3),
        schedule=Constant(lr=0.05),
        batch=32,
        length=length,
    )


def risk(run: Value, moment: Moment | None = None) -> Reading:
    """The test risk of a run, at its end or at a moment."""
    return Reading(measure=Risk(), state=StateRef(run=run, moment=moment) if moment else final(run))


def study(length: str = "12ep") -> list[Value]:
    """Pruning with weight rewinding, and zeroing with noise, on a network with batch normalization."""
    base = recipe(path=f"{__name__}:Normed", length=length)
    levels = imp(base, levels=2, rewind="1ep", retrain="weight")
    when = Every(start="2it", end="22it", period="5it")
    zero = Zero(when=when, hold="4it", reentry="saved")
    disturbed = during_training(base.replace(seeds=replicate(1)), zero, Noise(std=0.1, length="2it", when=when))
    after = Moment(when="after", at="7it")
    return [
        *(risk(level) for level in levels),
        Trace(probe=Curve(), run=levels[2]),
        Trace(probe=AroundEvents(), run=disturbed),
        Reading(measure=Examples(), state=StateRef(run=disturbed, moment=after)),
    ]


def contents(store: Path) -> dict[str, Any]:
    """Everything that was computed, by its place: states, traces and readings, and how far each run went."""
    found: dict[str, Any] = {}
    for path in sorted((store / "runs").rglob("*")) + sorted((store / "readings").rglob("*")):
        name = str(path.relative_to(store))
        if path.suffix in (".safetensors", ".parquet"):
            found[name] = path.read_bytes()
        elif path.name == "manifest.json":
            manifest = Store(store).manifest(path.parent.name)
            assert manifest is not None
            found[name] = {key: value for key, value in manifest.items() if key != "exec"}
    return found


def check_whole(store: Path) -> None:
    """Every file that can be seen is complete, checkpoints included."""
    shop = Store(store)
    for path in store.rglob("*.safetensors"):
        if not path.name.startswith(".") and "tmp" not in path.parts:
            codec.from_bytes(path.read_bytes(), str(path))
    for run in shop.run_ids():
        manifest = shop.manifest(run)
        assert manifest is not None
        for probe in shop.known_runs([run])[run]["traces"]:
            shop.trace(run, probe)
        if manifest["status"] == "done":
            shop.weights(run, Moment().id)


def replicas(count: int, **changes: Any) -> list[Recipe]:
    """So many replicates of the small recipe."""
    return [recipe().replace(seeds=replicate(k), **changes) for k in range(count)]


def manifest(store: Path, run: Recipe) -> Any:
    """The manifest of a run in the store at this path."""
    return Store(store).manifest(run.id)


class Notes(Display):
    """What was noted, and the last status."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.last: WorkStatus | None = None

    def note(self, text: str) -> None:
        self.texts.append(text)

    def update(self, status: WorkStatus) -> None:
        self.last = status
