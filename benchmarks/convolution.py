"""Question: how long is a step of a convolutional network, by each engine?

Belongs here: dense networks of the papers on one core, one at a time. Does not belong here: networks without
convolutions (`step.py`), many in one program (`convolutional_stack.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.limits import Layers
from benchmarks.plain_loop import PlainLoop, torch_optimizer
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.papers.bartoldson.scales import ADAM
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.loader import fresh_weights, with_kernels
from prunescope.runs.store.plan import plan
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.kernels.specialized import suits_channels_last
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.engines.engine import Engine, Loop, Replica
from prunescope.training.engines.inplace import InPlace
from prunescope.training.loop import Program, Stepper
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.run import begin
from prunescope.training.schedules import Constant


@dataclass(frozen=True)
class Case:
    """A network as a paper trains it. small: its arguments in a quick run. steps: between two looks at the clock."""

    path: str
    args: dict[str, Any]
    small: dict[str, Any]
    optimizer: Optimizer = ADAM
    batch: int = 128
    steps: int = 1
    aims: dict[str, float] = field(default_factory=dict)

    def recipe(self, *, full: bool, batch: int | None = None) -> Recipe:
        """A run of it on random images; batch: by default its own."""
        batch = batch or (self.batch if full else 4)
        source = synthetic(classes=10, shape=(3, 32, 32), train=4 * batch, test=batch)
        args = self.args if full else self.args | self.small
        return Recipe(
            task=Task(network=network(f"prunescope.tasks.nets:{self.path}", **args), data=Data(source=source)),
            optimizer=self.optimizer,
            schedule=Constant(lr=0.01 if isinstance(self.optimizer, SGD) else 1e-3),
            batch=batch,
            length="1000ep",
        )


CASES: dict[str, Case] = {
    "ResNet-20": Case(
        "CifarResNet",
        {"depth": 20},
        {"depth": 8},
        COLUMNS["resnet20"].optimizer,
        aims={"low": 1.5},
    ),
    "VGG11": Case("VGG", {"depth": 11}, {"scale": 0.05}),
    "Conv4 at batch 13": Case("Conv4", {}, {"scale": 0.1}, batch=13, steps=10),
    "ResNet-18 at batch 16": Case("ResNet18", {}, {"scale": 0.05}, batch=16),
}


def convolution(lab: Laboratory) -> list[Result]:
    """One step on random images in CIFAR-10's shape, float32, dense: ResNet-20 and VGG11 at batch 128, and others.

    ResNet-20 has SGD with momentum and decay, as in Jin et al., the others Adam, as in Bartoldson et al. (whose Conv4
    has batches of 13 where it sees 5,120 images; ResNet-18's 128 are 16 here). DataLoader loop: PIL images in the same
    process, `torch.optim`, as most code has it. Plain: the same on one batch that stays where it is, PyTorch's default
    layout. prunescope: the whole step, batch included: by the reference loop, and by the engine that was measured for
    this machine in either layout, of which "chosen" is what a user gets, by the price of a few steps measured before.
    Limit: the network's convolutions and products with their gradients on random tensors, in the faster layout, nothing
    else.
    """
    rows = []
    for name, case in CASES.items():
        rows += _rows(lab, name, case)
    return rows


def _rows(lab: Laboratory, name: str, case: Case) -> list[Result]:
    store = lab.bench.store
    left = plan([case.recipe(full=lab.scale is FULL)], store)
    chosen = prepare(left, store, workers=1, engine="lean").bench.setting.kernels
    taken = interleaved(_contestants(lab, case), rounds=lab.scale.rounds)
    millis = {key: 1000 * values / case.steps for key, values in taken.items()}
    limits = [values for key, values in millis.items() if key.startswith("limit")]
    limit = min(limits, key=lambda values: float(values.mean()))
    best = millis["last" if chosen.channels_last else "first"]
    layouts = {"first": not chosen.channels_last, "last": chosen.channels_last}
    return [
        Result(f"{name}: DataLoader loop", millis["loader"], "ms"),
        Result(f"{name}: plain PyTorch", millis["plain"], "ms"),
        Result(f"{name}: prunescope, reference loop", millis["loop"], "ms"),
        *(
            Result(f"{name}: prunescope, channels {layout}{', chosen' * is_chosen}", millis[layout], "ms")
            for layout, is_chosen in layouts.items()
        ),
        Result(f"{name}: the convolutions and products alone", limit, "ms"),
        Result(f"{name}: DataLoader loop : prunescope as chosen", millis["loader"] / best, "times"),
        Result(f"{name}: plain PyTorch : prunescope as chosen", millis["plain"] / best, "times", **case.aims),
        Result(f"{name}: the convolutions and products alone : prunescope as chosen", 100 * limit / best, "%"),
    ]


def _contestants(lab: Laboratory, case: Case) -> dict[str, Callable[[], object]]:
    full, chosen = lab.scale is FULL, lab.bench.setting.kernels
    recipe = case.recipe(full=full)
    program = lab.bench.program(recipe)
    x, _ = program.problem.train.batch(torch.arange(recipe.batch))

    def ours(kernels: Kernels) -> Callable[[], object]:
        return _steps(InPlace(), with_kernels(program, kernels), case.steps)

    contestants = {
        "loader": _loader(program, case.steps),
        "plain": _plain(program, case.steps),
        "loop": _steps(Loop(), with_kernels(program, PLAIN), case.steps),
        "first": ours(chosen.replace(channels_last=False)),
        "last": ours(chosen.replace(channels_last=True)),
    }
    layouts = [torch.contiguous_format]
    if suits_channels_last(recipe.task.network.build(), least=1):
        layouts.append(torch.channels_last)
    for layout in layouts:
        layers = Layers(recipe.task.network.build(), x, layout=layout)
        contestants[f"limit {layout}"] = _repeated(layers, case.steps)
    return contestants


def _loader(program: Program, steps: int) -> Callable[[], object]:
    problem = program.problem
    loop = PlainLoop(
        problem.model.network.build(),
        problem.train,
        problem.test,
        lr=1e-3,
        batch=program.batch,
        optimizer=program.optimizer,
    )
    return lambda: loop.steps(steps)


def _plain(program: Program, steps: int) -> Callable[[], object]:
    module = program.problem.model.network.build()
    optimizer = torch_optimizer(program.optimizer, module.parameters(), lr=1e-3)
    x, y = program.problem.train.batch(torch.arange(program.batch))

    def several() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(module(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return several


def _steps(engine: Engine, program: Program, steps: int) -> Callable[[], object]:
    start = begin(program, fresh_weights(program.problem.model, 0), 0)
    replica = Replica(Stepper(program), start.state, start.running, 0)

    def several() -> None:
        nonlocal replica
        [replica] = engine.advance([replica], steps)

    return several


def _repeated(layers: Layers, steps: int) -> Callable[[], object]:
    def several() -> None:
        for _ in range(steps):
            layers.training()

    return several
