"""Statistics estimated anew against torch's own estimate, and that nothing else moves."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds, stream
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network_of
from prunescope.tasks.recalibration import recalibrated
from prunescope.tasks.task import Data, Task

SOURCE = synthetic(classes=3, shape=(2, 6, 6), train=50, test=20, separation=2.0)


class TwoNorms(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(2, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 3, 3),
            nn.BatchNorm2d(3, momentum=0.3),
        )
        self.add_module("flatten", nn.Flatten())
        self.add_module("fc", nn.Linear(12, 3))


class Cumulative(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.Flatten(), nn.Linear(64, 3))


class Shared(TwoNorms):
    """One normalization for two layers, of numbers as large as pixels that nobody has scaled."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.normal_(self[0].weight, std=1e4)
        self[4] = nn.BatchNorm2d(4)
        self[3] = nn.Conv2d(4, 4, 1)
        self[1] = self[4]
        self.fc = nn.Linear(64, 3)


class Indexed(TwoNorms):
    """Whole numbers that are no counter say which channels the second layer sees."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor([2, 3, 0, 1]))

    def forward(self, x):
        for part in self:
            x = part(x)[:, self.order] if part is self[2] else part(x)
        return x


@pytest.mark.parametrize("factory", [TwoNorms, Cumulative, Shared, Indexed])
def test_statistics_are_those_of_torchs_update_bn(factory):
    problem = Task(network=network_of(factory), data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    params, buffers = problem.model.init(1)
    weights = Weights(params, buffers, {})
    before = tree.clone(buffers)
    found = recalibrated(problem, weights, batches=4, batch=8)
    module = factory()
    module.load_state_dict({**params, **buffers}, strict=False)  # a shared tensor has one name here
    order = torch.randperm(50, generator=stream(0, "recalibration"))
    x = problem.train.batch(order[:32])[0]
    torch.optim.swa_utils.update_bn(list(x.split(8)), copied := copy.deepcopy(module))
    for name, expected in copied.named_buffers():
        if name.rpartition(".")[2] in ("running_mean", "running_var"):
            torch.testing.assert_close(found[name], expected, rtol=2e-6, atol=1e-6 * float(1 + expected.max()))
            assert not torch.equal(found[name], before[name])
    assert tree.equal(buffers, before)


def test_statistics_of_single_examples_keep_their_digits_whatever_their_size():
    """Instance normalization averages over the examples of a batch, so those over batches of one size are over all."""
    net = network_of(lambda: nn.Sequential(nn.InstanceNorm2d(2, track_running_stats=True, affine=True), nn.Flatten()))
    problem = Task(network=net, data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    large = dataclasses.replace(problem.train, inputs=InMemory(3e4 + 1e4 * problem.train.inputs.tensor))
    problem = dataclasses.replace(problem, train=large)
    params, buffers = problem.model.init(0)
    found = recalibrated(problem, Weights(params, buffers, {}), batches=5, batch=10)
    x = large.inputs.tensor.double()
    torch.testing.assert_close(found["0.running_mean"].double(), x.mean((0, 2, 3)), rtol=1e-5, atol=0)
    torch.testing.assert_close(found["0.running_var"].double(), x.var((2, 3)).mean(0), rtol=1e-5, atol=0)


def test_a_network_without_batchnorm_keeps_its_buffers():
    net = network_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)))
    problem = Task(network=net, data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    params, buffers = problem.model.init(0)
    assert recalibrated(problem, Weights(params, buffers, {}), batches=2, batch=8) is buffers
