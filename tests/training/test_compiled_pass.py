"""Passes that torch compiles: what the network's own code does to rounding, and refused where they are not."""

from dataclasses import replace

import pytest
import torch
from stack_lab import assert_close
from test_engines import OPTIMIZERS
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.runs.machine.engines import EngineSetting, engine_named
from prunescope.tasks.kernels import compiling
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import Model, network_of
from prunescope.training.engines import inplace
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.interventions import At, Prune
from prunescope.training.run import train

needs_compiler = pytest.mark.skipif(not compiling.available(), reason="no C++ compiler")
COMPILED = Kernels(compiled=True, channels_last=True, least=1)


class Normed(nn.Module):
    """A convolution with normalization and a sum, as in a residual network: few loops to compile, for seconds each."""

    def __init__(self, share: float = 0.0) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.drop, self.fc = nn.Dropout(share), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.drop(torch.relu(self.bn(self.conv(x)) + x).mean((-2, -1))))


class Residual(nn.Module):
    """Two of them, one on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.again, self.norm = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        return self.fc(torch.relu(self.norm(self.again(x)) + x).mean((-2, -1)))


@pytest.fixture
def asked(monkeypatch):
    """The answers to whether a compiled pass is right."""
    answers = []
    plain = inplace.confirmed
    monkeypatch.setattr(inplace, "confirmed", lambda *args: answers.append(plain(*args)) or answers[-1])
    return answers


def ends(lab, factory, *interventions):
    """The end of a run of two epochs by the loop, and by the engine in place with compiled passes."""
    program = lab.program(*interventions, problem=lab.problem(network_of(factory)), steps=14)
    other = replace(program, problem=replace(program.problem, kernels=COMPILED))
    return train(program, lab.begin(program), engine=Loop()), train(other, lab.begin(other), engine=InPlace())


@needs_compiler
def test_a_compiled_run_is_that_of_the_loop_with_pruning_and_a_smaller_last_batch(lab, asked, monkeypatch):
    calls = []
    made = compiling.compiled_pass

    def counted(module):
        run = made(module)
        return lambda tensors, x: calls.append(len(x)) or run(tensors, x)

    monkeypatch.setattr("prunescope.tasks.model.compiled_pass", counted)
    loop, compiled = ends(lab, Normed, Prune(when=At(at="9it")))
    assert_close(loop, compiled)
    assert asked == [True, True]  # once a mask
    assert calls.count(8) == len(calls) == 12 + 2  # of seven batches an epoch the last, of 2, is not


@pytest.mark.slow
@needs_compiler
def test_every_optimizer_with_one_compiled_pass(lab, asked):
    """A network is compiled once, whoever updates it."""
    problem = lab.problem(network_of(Residual))
    for optimizer in OPTIMIZERS:
        program = lab.program(Prune(when=At(at="3it")), problem=problem, optimizer=optimizer, steps=9)
        other = replace(program, problem=replace(problem, kernels=COMPILED))
        loop = train(program, lab.begin(program, sparsity=0.3), engine=Loop())
        assert_close(loop, train(other, lab.begin(other, sparsity=0.3), engine=InPlace()), 1e-3)
    assert asked == [True, True] * len(OPTIMIZERS)


def test_a_network_that_draws_is_left_alone_and_not_compiled(lab, asked, monkeypatch):
    monkeypatch.setattr(Model, "compiled", property(lambda self: lambda *_: pytest.fail("it was compiled")))
    loop, compiled = ends(lab, lambda: Normed(share=0.5))
    assert_close(loop, compiled)
    assert asked == [False]


def test_code_that_torch_cannot_compile_is_left_alone(lab, asked, monkeypatch):
    def refused(module):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(Model, "compiled", property(lambda self: refused))
    loop, compiled = ends(lab, Normed)
    assert_close(loop, compiled)
    assert asked == [False]


def test_a_machine_without_a_compiler_says_which_engines_it_has(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/to/be/found")
    with pytest.raises(UsageError, match="it has loop, lean; 'compiled' needs a C\\+\\+ compiler"):
        engine_named("compiled")
    with pytest.raises(UsageError, match=r"it has loop, lean$"):
        engine_named("fast")
    assert not EngineSetting(engine="lean", kernels=COMPILED).available("cpu")


def test_the_setting_says_that_networks_are_compiled():
    assert EngineSetting(engine="lean", kernels=COMPILED).sentence.endswith("convolutional networks compiled")
    assert "compiled" not in EngineSetting(engine="lean").sentence
