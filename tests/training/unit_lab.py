"""Small networks with units, and programs that take them away."""

from dataclasses import dataclass
from typing import Any

import torch

from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training import run as running
from prunescope.training.interventions import LayerSchedule
from prunescope.training.loop import Program
from prunescope.training.optim import Adam
from prunescope.training.progress import Progress
from prunescope.training.schedules import Constant
from prunescope.training.stopping import AtEnd
from prunescope.training.timeline import EventContext, Timeline

SOURCE = synthetic(classes=3, shape=(3, 8, 8), train=32, test=8, separation=2.0)
ARRAYS = SOURCE.load()
EPOCH = 4


def problem(name: str, **args: Any):
    net = network(f"prunescope.tasks.nets:{name}", classes=3, **args)
    return Task(network=net, data=Data(source=SOURCE)).load(Seeds(), ARRAYS)


RESIDUAL = problem("GatedResNet18", width=4)
CIFAR = problem("GatedCifarResNet", depth=8, width=4, shortcut="zero_pad", batchnorm="ones")
PLAIN = problem("LeNet", hidden=(7, 5), inputs=192)


def program(which: Any, *interventions: Any, steps: int = 16, optimizer: Any = None) -> Program:
    return Program(
        problem=which,
        optimizer=optimizer or Adam(),
        schedule=Constant(lr=0.01),
        clock=Clock(EPOCH, steps),
        batch=8,
        stop=AtEnd(),
        seeds=Seeds(),
        interventions=interventions,
    )


def begin(plan: Program, seed: int = 0) -> Progress:
    params, buffers = plan.problem.model.init(seed)
    masks = {name: torch.ones_like(params[name], dtype=torch.bool) for name in plan.problem.model.maskable}
    return running.begin(plan, Weights(params, buffers, masks), 0)


def states(plan: Program, progress: Progress | None = None, monkeypatch: Any = None) -> list[Any]:
    """The state at every position, before anything due there has happened, and at the end."""
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    progress = progress or begin(plan)
    seen = [progress.state]

    def remember(now: Progress) -> bool:
        seen.append(now.state)
        return True

    seen.append(running.train(plan, progress, beat=remember).state)
    return seen


def applied(plan: Program, state: Any, local: int):
    """The state after the first intervention, as if the run were at position `local`."""
    progress = Progress(start=state.step - local, state=state, running=torch.zeros(()))
    return plan.interventions[0].apply(state, EventContext(Timeline(plan, (), ()), progress, 0))


def layer(name: str, *, start: str = "1ep", end: str = "3ep", fraction: float = 0.5, period: str = "1ep"):
    return LayerSchedule(layer=name, start=start, end=end, fraction=fraction, period=period)


@dataclass(frozen=True)
class Filters:
    """What the tests know about one layer without asking the package."""

    weight: str
    others: tuple[str, ...]
    gate: str | None


def filters(name: str) -> Filters:
    block, _, conv = name.rpartition(".")
    norm = f"{block}.bn{conv[-1]}"
    gate = f"{block}.sum.gate" if conv == "conv2" else None
    return Filters(f"{name}.weight", (f"{norm}.weight", f"{norm}.bias"), gate)
