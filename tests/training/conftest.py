"""A small task, and programs that train on it: 50 examples in batches of 8, so 7 steps an epoch, the last of 2."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))  # for `unit_lab`, here and in worker processes

from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds
from prunescope.runs.machine.devices import weights_on
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Problem, Task
from prunescope.training.loop import Program
from prunescope.training.optim import SGD
from prunescope.training.progress import Progress
from prunescope.training.run import begin
from prunescope.training.schedules import Constant
from prunescope.training.stopping import AtEnd

SOURCE = synthetic(classes=3, shape=(1, 4, 4), train=50, test=20, separation=2.0)
ARRAYS = SOURCE.load()


class WithBatchNorm(nn.Module):
    """Convolution, BatchNorm, dropout, an in-place activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.drop(self.act(self.bn(self.conv(x))).mean((-2, -1))))


class WithoutDrawing(WithBatchNorm):
    """The same without dropout, so that every way to train it in a stack is right."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Identity()


class Lab:
    """Makes programs and their beginnings."""

    epoch = 7

    def __init__(self) -> None:
        self.lenet = self.problem(
            network("prunescope.tasks.nets:LeNet", hidden=[6, 5], inputs=16, classes=3, scale=1.0)
        )
        self.batchnorm = self.problem(network_of(WithBatchNorm))
        self.undrawn = self.problem(network_of(WithoutDrawing))

    def problem(self, net: Any, **data: Any) -> Problem:
        return Task(network=net, data=Data(source=SOURCE, **data)).load(Seeds(), ARRAYS)

    def double(self, problem: Problem) -> Problem:
        """The same problem in float64."""
        train = problem.train
        inputs = InMemory(train.inputs.take(torch.arange(len(train.inputs))).double())
        return replace(problem, train=replace(train, inputs=inputs))

    def program(self, *interventions: Any, problem: Problem | None = None, steps: int = 20, **changes: Any):
        plain = Program(
            problem=problem or self.lenet,
            optimizer=SGD(momentum=0.9, weight_decay=1e-3),
            schedule=Constant(lr=0.1),
            clock=Clock(self.epoch, steps),
            batch=8,
            stop=AtEnd(),
            seeds=Seeds(),
            interventions=interventions,
        )
        return replace(plain, **changes)

    def weights(self, program: Program, *, seed: int = 0, sparsity: float = 0.0) -> Weights:
        """Fresh weights of which about a share `sparsity` is removed."""
        params, buffers = program.problem.model.init(seed)
        drawn = torch.Generator().manual_seed(seed)
        masks = {
            name: torch.rand(leaf.shape, generator=drawn) >= sparsity
            for name, leaf in params.items()
            if name in program.problem.model.maskable
        }
        params = {name: leaf * masks[name] if name in masks else leaf for name, leaf in params.items()}
        return Weights(params, buffers, masks)

    def begin(self, program: Program, *, seed: int = 0, sparsity: float = 0.0, step: int = 0) -> Progress:
        """Where the program's examples are, and in floats as theirs."""
        weights = self.weights(program, seed=seed, sparsity=sparsity)
        x = program.problem.train.inputs.take(torch.arange(1))
        parts = (weights.params, weights.buffers, weights.masks)
        return begin(program, Weights(*({n: _like(x, leaf) for n, leaf in p.items()} for p in parts)), step)

    def on(self, device: str, program: Program) -> Program:
        """The same program on a device."""
        references = {name: weights_on(weights, device) for name, weights in program.references.items()}
        return replace(program, problem=program.problem.to(device), references=references)


def _like(x: torch.Tensor, leaf: torch.Tensor) -> torch.Tensor:
    return leaf.to(x.device, x.dtype if leaf.is_floating_point() else leaf.dtype)


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
