"""Question: how long is a step of a residual network?

Belongs here: ResNet-20 on one core, dense. Does not belong here: networks without convolutions (`step.py`).
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.row import Row
from benchmarks.timing import interleaved
from prunescope.base.streams import Seeds
from prunescope.runs.workbench import fresh_weights
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels.choice import Kernels
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.engines.engine import Lane
from prunescope.training.engines.lean import Lean
from prunescope.training.loop import Program, Stepper
from prunescope.training.run import begin


def convolution(lab: Laboratory) -> list[Row]:
    """One step of ResNet-20 on random images in CIFAR-10's shape at batch 128, float32, dense.

    Plain: the module called on one batch that stays where it is, cross-entropy, `torch.autograd.grad`, an in-place
    update, PyTorch's default layout. prunescope: the whole step, batch included, in both layouts.
    """
    full = lab.scale is FULL
    batch, depth = (128, 20) if full else (4, 8)
    source = synthetic(classes=10, shape=(3, 32, 32), train=4 * batch, test=batch)
    net = network("prunescope.tasks.nets:CifarResNet", depth=depth)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    program = replace(lab.bench.program(lab.recipe), problem=problem, batch=batch)
    seconds = interleaved(
        {
            "plain": _plain(program),
            "default": _step(program, Kernels()),
            "last": _step(program, Kernels(channels_last=True)),
        },
        rounds=lab.scale.rounds,
    )
    return [
        Row("plain PyTorch", 1000 * seconds["plain"], "ms"),
        Row("prunescope, channels first", 1000 * seconds["default"], "ms"),
        Row("prunescope, channels last", 1000 * seconds["last"], "ms"),
        Row(
            "plain PyTorch : prunescope, channels last", seconds["plain"] / seconds["last"], "times", low=1.5
        ),
    ]


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
