"""Question: how long is a step of a convolutional network?

Belongs here: ResNet-20 and VGG11 on one core, dense. Does not belong here: networks without convolutions (`step.py`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.plain_loop import PlainLoop
from benchmarks.row import Numbers, Row
from benchmarks.timing import interleaved
from prunescope.base.streams import Seeds
from prunescope.runs.workbench import fresh_weights
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels import compiling
from prunescope.tasks.kernels.choice import Kernels
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Problem, Task
from prunescope.training.engines.engine import Lane
from prunescope.training.engines.lean import Lean
from prunescope.training.loop import Program, Stepper
from prunescope.training.run import begin

COMPILED = Kernels(channels_last=True, compiled=True)
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "ResNet-20": ("CifarResNet", {"depth": 20}),
    "VGG11": ("VGG", {}),
}
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "ResNet-20": ("CifarResNet", {"depth": 8}),
    "VGG11": ("VGG", {"scale": 0.05}),
}


def convolution(lab: Laboratory) -> list[Row]:
    """One step of ResNet-20 and of VGG11 on random images in CIFAR-10's shape at batch 128, float32, dense.

    DataLoader loop: PIL images in the same process, `torch.optim.SGD`, as most code has it. Plain: the module called on
    one batch that stays where it is, cross-entropy, `torch.autograd.grad`, an in-place update, PyTorch's default
    layout. prunescope: the whole step, batch included, in both layouts, and as `--engine compiled` takes it, after half
    a minute of compiling. Limit: the network's convolutions and their gradients on random tensors, in the faster
    layout, nothing else.
    """
    rows = []
    for name in NETS:
        rows += _rows(lab, name)
    return rows


def _rows(lab: Laboratory, name: str) -> list[Row]:
    full = lab.scale is FULL
    path, args = (NETS if full else SMALL)[name]
    batch = 128 if full else 4
    source = synthetic(classes=10, shape=(3, 32, 32), train=4 * batch, test=batch)
    net = network(f"prunescope.tasks.nets:{path}", **args)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    program = replace(lab.bench.program(lab.recipe), problem=problem, batch=batch)
    loop = PlainLoop(
        net.build(), problem.train, problem.test, lr=0.1, batch=batch, optimizer=lab.recipe.optimizer
    )
    # Compiling takes longer than all else in a quick run.
    compiled = {"compiled": _step(program, COMPILED)} if full and compiling.available() else {}
    seconds = interleaved(
        {
            "loader": lambda: loop.steps(1),
            "plain": _plain(program),
            "default": _step(program, Kernels()),
            "last": _step(program, Kernels(channels_last=True)),
            **compiled,
            "limit first": Convolutions(problem, batch, torch.contiguous_format).training,
            "limit last": Convolutions(problem, batch, torch.channels_last).training,
        },
        rounds=lab.scale.rounds,
    )
    limit = min(seconds["limit first"], seconds["limit last"], key=lambda values: float(values.mean()))
    best = min(seconds["default"], seconds["last"], key=lambda values: float(values.mean()))
    return [
        Row(f"{name}: DataLoader loop", 1000 * seconds["loader"], "ms"),
        Row(f"{name}: plain PyTorch", 1000 * seconds["plain"], "ms"),
        Row(f"{name}: prunescope, channels first", 1000 * seconds["default"], "ms"),
        Row(f"{name}: prunescope, channels last", 1000 * seconds["last"], "ms"),
        Row(f"{name}: the convolutions alone", 1000 * limit, "ms"),
        Row(f"{name}: DataLoader loop : prunescope, the faster", seconds["loader"] / best, "times"),
        Row(
            f"{name}: plain PyTorch : prunescope, the faster",
            seconds["plain"] / best,
            "times",
            **({"low": 1.5} if name == "ResNet-20" else {}),
        ),
        Row(f"{name}: the convolutions alone : prunescope, the faster", 100 * limit / best, "%"),
        *(_compiled(name, seconds["plain"], seconds["compiled"]) if compiled else []),
    ]


def _compiled(name: str, plain: Numbers, found: Numbers) -> list[Row]:
    aim = {"low": 1.5} if name == "ResNet-20" else {}
    return [
        Row(f"{name}: prunescope, compiled", 1000 * found, "ms"),
        Row(f"{name}: plain PyTorch : prunescope, compiled", plain / found, "times", **aim),
    ]


class Convolutions:
    """The convolutions of a training step: forward, weight gradient, and input gradient but for the images."""

    def __init__(self, problem: Problem, batch: int, layout: torch.memory_format) -> None:
        """Random tensors in the shapes that the network's layers meet."""
        module = problem.model.network.build()
        self.calls: list[tuple[nn.Conv2d, Tensor, Tensor]] = []

        def met(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            assert isinstance(layer, nn.Conv2d)
            x, y = (torch.randn(leaf.shape).contiguous(memory_format=layout) for leaf in (inputs[0], output))
            first = not self.calls
            self.calls.append((layer.to(memory_format=layout), x.requires_grad_(not first), y))  # type: ignore[call-overload]

        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(met)
        with torch.no_grad():
            module(problem.train.take(torch.arange(batch))[0])

    def training(self) -> None:
        """All of them once."""
        for layer, x, slope in self.calls:
            out = F.conv2d(x, layer.weight, None, layer.stride, layer.padding)
            torch.autograd.grad(out, [layer.weight, x] if x.requires_grad else [layer.weight], slope)


def _plain(program: Program) -> Callable[[], object]:
    module = program.problem.model.network.build()
    params: list[Tensor] = list(module.parameters())
    x, y = program.problem.train.take(torch.arange(program.batch))

    def one() -> None:
        grads = torch.autograd.grad(F.cross_entropy(module(x), y), params)
        with torch.no_grad():
            torch._foreach_add_(params, grads, alpha=-0.1)

    return one


def _step(program: Program, kernels: Kernels) -> Callable[[], object]:
    program = replace(program, problem=replace(program.problem, kernels=kernels))
    start = begin(program, fresh_weights(program.problem.model, 0), 0)
    engine, lane = Lean(), Lane(Stepper(program), start.state, start.running, 0)

    def one() -> None:
        nonlocal lane
        [lane] = engine.advance([lane], 1)

    return one
