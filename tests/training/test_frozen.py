"""What a module holds frozen, or in evaluation mode, stays so in every engine: a reference is plain torch.optim."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunescope.runs.machine.loader import fresh_weights
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import network_of
from prunescope.tasks.recalibration import recalibrated
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack, how
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD
from prunescope.training.run import Member, begin, train, train_together

FROZEN = {"0.weight", "0.bias", "1.weight", "1.bias", "5.weight"}
OWN = Kernels(
    sparse="llvm" if jit.available() else "none",
    fused=True,
    channels_last=True,
    without_units=True,
    train_below=1.0,
    evaluate_below=1.0,
    least=1,
    by_hand=True,
    merged=True,
)


class Frozen(nn.Sequential):
    """A convolution and its normalization, dropout and a linear layer that do not train, before ones that do."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(16, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Linear(8, 3),
        )
        for part in (self[0], self[1]):
            part.requires_grad_(False)
        self[5].weight.requires_grad_(False)
        self[1].eval()
        self[4].eval()


class FrozenChain(nn.Sequential):
    """Linear layers, which an engine has by hand; the first does not train."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
        self[1].requires_grad_(False)


def by_torch(program, weights):
    """The tensors after the same batches, by modules and optimizers of torch."""
    module = program.problem.model.network.build()
    module.load_state_dict({**weights.params, **weights.buffers})
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    stepper = Member(program, begun(program)).stepper
    for step in range(program.steps):
        x, y = stepper.batch(step)
        optimizer.zero_grad()
        F.cross_entropy(module(x), y).backward()
        optimizer.step()
    return module.state_dict()


def begun(program):
    return begin(program, fresh_weights(program.problem.model, 0), 0)


def in_a_stack(way):
    def run(program):
        members = [Member(program, begun(program)) for _ in range(2)]
        assert how(members[0].replica, way).name is not None
        train_together(members, Stack(size=2, method=way))
        assert members[0].failure is None
        return members[0].progress

    return run


ENGINES = {
    "loop": lambda program: train(program, begun(program), engine=Loop()),
    "in place": lambda program: train(program, begun(program), engine=InPlace()),
    "own products": lambda program: train(
        replace(program, problem=replace(program.problem, kernels=OWN)), begun(program), engine=InPlace()
    ),
    "stack of layers": in_a_stack("layers"),
    "stack by vmap": in_a_stack("vmap"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("net", [Frozen, FrozenChain])
def test_every_engine_trains_what_torch_trains_and_nothing_else(lab, net, engine):
    program = lab.program(problem=lab.problem(network_of(net)), optimizer=SGD(momentum=0.9, weight_decay=1e-3))
    program = replace(program, schedule=program.schedule.replace(lr=0.05))
    start = begun(program).state.weights
    end = ENGINES[engine](program).state
    wanted = by_torch(program, start)
    for name, leaf in {**end.weights.params, **end.weights.buffers}.items():
        torch.testing.assert_close(leaf, wanted[name], rtol=1e-4, atol=1e-5)
    frozen = {name for name, leaf in program.problem.model.network.build().named_parameters() if not leaf.requires_grad}
    still = frozen | ({"1.running_mean", "1.running_var", "1.num_batches_tracked"} if net is Frozen else set())
    assert still and all(torch.equal(end.weights.buffers[name], start.buffers[name]) for name in still)
    assert not frozen & (end.weights.params.keys() | end.weights.masks.keys() | end.opt["momentum"].keys())
    assert all(not torch.equal(leaf, start.params[name]) for name, leaf in end.weights.params.items())


def test_pruning_counts_and_removes_only_what_trains(lab):
    program = lab.program(Prune(when=At(at="0it")), problem=lab.problem(network_of(Frozen)))
    end = train(program, begun(program)).state.weights
    assert set(end.masks) == {"8.weight"}
    assert int((end.params["8.weight"] == 0).sum()) == -(-24 // 5)
    assert all(bool((end.buffers[name] != 0).all()) for name in FROZEN - {"1.bias"})


def test_units_of_a_frozen_layer_are_refused_by_name(lab):
    program = lab.program(problem=lab.problem(network_of(Frozen)))
    structure = program.problem.model.structure
    assert "0" not in structure.units
    assert "0.bias, 0.weight, 1.bias, 1.weight is frozen" in structure.others["0"]
    assert "5.weight is frozen" in structure.others["5"]


def test_statistics_of_a_layer_in_evaluation_mode_are_not_estimated_anew(lab):
    problem = lab.problem(network_of(Frozen))
    weights = problem.model.fresh(0)
    anew = recalibrated(problem, weights, batches=2, batch=16)
    assert torch.equal(anew["1.running_mean"], weights.buffers["1.running_mean"])
    assert not torch.equal(anew["6.running_mean"], weights.buffers["6.running_mean"])
    assert all(bool(leaf.isfinite().all()) for leaf in anew.values())
