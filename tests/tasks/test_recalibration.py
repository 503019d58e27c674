"""Statistics estimated anew against torch's own estimate, and that nothing else moves."""

import copy

import pytest
import torch
from torch import nn

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds, stream
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


@pytest.mark.parametrize("factory", [TwoNorms, Cumulative])
def test_statistics_are_those_of_torchs_update_bn(factory):
    problem = Task(network=network_of(factory), data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    params, buffers = problem.model.init(1)
    weights = Weights(params, buffers, {})
    before = tree.clone(buffers)
    found = recalibrated(problem, weights, batches=4, batch=8)
    module = factory()
    module.load_state_dict({**params, **buffers})
    order = torch.randperm(50, generator=stream(0, "recalibration"))
    x = problem.train.batch(order[:32])[0]
    torch.optim.swa_utils.update_bn(list(x.split(8)), copied := copy.deepcopy(module))
    for name, expected in copied.named_buffers():
        if name.rpartition(".")[2] in ("running_mean", "running_var"):
            torch.testing.assert_close(found[name], expected, rtol=2e-5, atol=1e-6)
            assert not torch.equal(found[name], before[name])
    assert tree.equal(buffers, before)


def test_a_network_without_batchnorm_keeps_its_buffers():
    net = network_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)))
    problem = Task(network=net, data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    params, buffers = problem.model.init(0)
    assert recalibrated(problem, Weights(params, buffers, {}), batches=2, batch=8) is buffers
