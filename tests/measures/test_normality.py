"""Normality of normalized activations against a loop with scipy."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.measures import Normality
from prunescope.measures.normality import BINS
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network_of
from prunescope.tasks.task import Data, Task

SOURCE = synthetic(classes=3, shape=(2, 6, 6), train=20, test=16, separation=2.0)


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3))
        self.add_module("flatten", nn.Flatten())
        self.add_module("fc", nn.Linear(12, 3))


def state(factory=Net):
    problem = Task(network=network_of(factory), data=Data(source=SOURCE)).load(Seeds(), SOURCE.load())
    params, buffers = problem.model.init(0)
    drawn = torch.Generator().manual_seed(1)
    params = {
        name: leaf + 0.3 * torch.randn(leaf.shape, generator=drawn) if name.startswith(("1.", "4.")) else leaf
        for name, leaf in params.items()
    }
    return problem, Weights(params, buffers, {})


def test_distances_are_scipys_of_a_plain_normalization():
    problem, weights = state()
    params = {**weights.params}
    params["1.weight"], params["1.bias"] = params["1.weight"].clone(), params["1.bias"].clone()
    params["1.weight"][2] = params["1.bias"][2] = 0.0  # a removed filter
    found = Normality(examples=16).measure(problem, weights.replace(params=params))
    module = Net()
    module.load_state_dict({**params, **weights.buffers})
    x = problem.test.batch(torch.arange(16))[0]
    with torch.no_grad():
        first = module[0](x).double()
        second = module[3](module[2](module[1].train()(module[0](x)))).double()
    for layer, out in enumerate((first[:, [0, 1, 3]], second)):
        mean, variance = out.mean((0, 2, 3), keepdim=True), out.var((0, 2, 3), correction=0, keepdim=True)
        values = ((out - mean) / (variance + 1e-5).sqrt()).flatten().numpy()
        assert float(found["distance"][layer]) == pytest.approx(stats.kstest(values, "norm").statistic, abs=1e-5)
        assert float(found["skewness"][layer]) == pytest.approx(stats.skew(values), abs=1e-4)
        assert float(found["kurtosis"][layer]) == pytest.approx(stats.kurtosis(values), abs=1e-4)
        density, _ = np.histogram(values, bins=BINS, range=(-4, 4))
        assert float(found[f"histogram.{layer}"].sum()) * 8 / BINS == pytest.approx(density.sum() / len(values))
    assert float(found["mean_distance"]) == pytest.approx(float(found["distance"].mean()))


def test_only_the_last_layers_are_looked_at_and_some_normalization_is_needed():
    problem, weights = state()
    assert Normality(layers=1).measure(problem, weights)["distance"].shape == (1,)
    plain, bare = state(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)))
    with pytest.raises(UsageError, match="no BatchNorm"):
        Normality().measure(plain, bare)
