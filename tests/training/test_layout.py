"""Networks with convolutions: images pixel by pixel, pruned filters, other precisions and devices."""

from dataclasses import replace

import pytest
import torch
from test_inplace import assert_close, with_kernels
from test_interventions import assert_same
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from unit_lab import ARRAYS, SOURCE, begin, layer, problem, program

from pretended import pretending
from prunescope.base.streams import Seeds
from prunescope.runs.machine.devices import progress_on
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.tasks import evaluation
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.kernels.specialized import suits_channels_last
from prunescope.tasks.model import network_of
from prunescope.tasks.task import Data, Task
from prunescope.training.engines import inplace
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.interventions import PruneUnits
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.run import train

RESIDUAL = problem("CifarResNet", depth=8, width=8)
NARROW = problem("CifarResNet", depth=8, width=4)  # rounding grows less in few steps
KERNELS = {"as they lie": Kernels(least=1), "channels last": Kernels(channels_last=True, least=1)}
OPTIMIZERS = [
    SGD(momentum=0.9, weight_decay=0.01),
    SGD(momentum=0.9, nesterov=True),
    Adam(weight_decay=0.01),
    AdamW(),
]


class WithBias(nn.Sequential):
    """Convolutions with biases, without BatchNorm; the linear layer reads every channel in several places."""

    def __init__(self):
        super().__init__(
            *(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(16, 3)),
        )


def both(plan, begun, kernels):
    return [train(with_kernels(plan, k), begun, engine=e) for e, k in ((Loop(), Kernels()), (InPlace(), kernels))]


@pytest.mark.parametrize("kernels", KERNELS.values(), ids=list(KERNELS))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_filters_are_pruned_as_in_the_loop(optimizer, kernels):
    names = tuple(f"layer{stage}.0.conv1" for stage in (1, 2, 3))
    prune = PruneUnits(layers=tuple(layer(name, fraction=0.5) for name in names), score=FilterNorm(order=1))
    plan = program(NARROW, prune, optimizer=optimizer)
    loop, other = both(plan, begin(plan), kernels)
    assert_close(loop, other, 2e-3)
    for name, count in zip(names, (2, 4, 8), strict=True):
        rows = other.state.weights.params[f"{name}.weight"].flatten(1)
        assert int(rows.any(1).sum()) == count


class Own(nn.Conv2d):
    pass


@pytest.mark.parametrize("kind", [nn.Conv2d, Own, lambda *sizes, **more: weight_norm(nn.Conv2d(*sizes, **more))])
def test_images_stay_as_they_lie_where_torch_writes_outside_its_memory(kind):
    """In the gradient of 1x1 filters with a stride, of fewer than 8 channels, on processors without AVX-512."""
    large = nn.Conv2d(6, 6, 3, padding=1)
    assert suits_channels_last(nn.Sequential(large, kind(6, 12, 1)), 1)
    assert suits_channels_last(nn.Sequential(large, nn.Conv2d(6, 8, 1), kind(8, 12, 1, stride=2)), 1)
    assert not suits_channels_last(nn.Sequential(large, kind(6, 12, 1, stride=2)), 1)
    assert not suits_channels_last(nn.Sequential(large, kind(6, 12, 1, stride=(1, 3))), 1)


@pytest.mark.parametrize("kernels", KERNELS.values(), ids=list(KERNELS))
def test_in_bfloat16_images_lie_as_in_float32(monkeypatch, kernels):
    """What that changes of a step is less than what rounding to bfloat16 does, which is much."""
    networks, make = [], inplace._made
    monkeypatch.setattr(inplace, "_made", lambda *args: networks.append(make(*args)) or networks[-1])
    plan = program(RESIDUAL, optimizer=SGD(), steps=1)
    low, other = both(replace(plan, precision="bfloat16"), begin(plan), kernels)
    full, _ = both(plan, begin(plan), kernels)
    assert (networks[0].format == torch.channels_last) == kernels.channels_last
    assert distance(other, low) < 0.5 * distance(low, full)


def distance(left, right):
    """Between the parameters of two states."""
    pairs = zip(*(end.state.weights.params.values() for end in (left, right)), strict=True)
    return sum(float((a - b).double().square().sum()) for a, b in pairs) ** 0.5


@pytest.mark.parametrize("last", [False, True])
def test_on_another_device_the_kernels_of_a_cpu_do_nothing(last):
    everything = Kernels(
        sparse="numba",
        train_below=1.0,
        evaluate_below=1.0,
        least=1,
        by_hand=True,
        channels_last=last,
        fused=True,
        flushed=True,
    )
    loaded = Task(network=network_of(WithBias), data=Data(source=SOURCE)).load(Seeds(), ARRAYS)
    plan = program(loaded, optimizer=SGD(momentum=0.9, weight_decay=0.01), steps=3)
    begun = begin(plan)
    with pretending() as device:
        kernels = everything.on(device)
        there = with_kernels(replace(plan, problem=plan.problem.to(device)), everything)
        moved = train(there, progress_on(begun, device), engine=InPlace())
        tested = evaluation.logits(there.problem, moved.state.weights, there.problem.test)
    assert kernels == Kernels(least=1, channels_last=last)
    here = train(with_kernels(plan, kernels), begun, engine=InPlace())
    assert_same(progress_on(moved, "cpu"), here)
    expected = evaluation.logits(replace(plan.problem, kernels=kernels), here.state.weights, plan.problem.test)
    assert torch.equal(tested.cpu(), expected)
