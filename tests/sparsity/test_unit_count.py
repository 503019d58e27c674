"""The two counts of parameters, against the papers' percentages and a network built smaller."""

import pytest
import torch
from torch import nn

from prunescope.base.state import Weights
from prunescope.sparsity.unit_count import parameters_gone
from prunescope.sparsity.unit_search import find_units
from prunescope.tasks.nets import VGG, Conv4, GatedResNet18


def thinned(network: nn.Module, kept: dict[str, int], size: int = 32):
    """Both counts, in percent, when only the first `kept` units of some layers are left."""
    found = find_units(network, torch.randn(2, 3, size, size))
    params = dict(network.named_parameters())
    masks = {units.weight: torch.ones_like(params[units.weight], dtype=torch.bool) for units in found.units.values()}
    for layer, count in kept.items():
        masks[f"{layer}.weight"][count:] = False
    counts = parameters_gone(Weights(params, {}, masks), found.units.values())
    assert counts.total == sum(leaf.numel() for leaf in params.values())
    return counts, 100 * counts.own / counts.total, 100 * counts.structural / counts.total


def on_meta(factory, **args):
    with torch.device("meta"):
        return factory(**args).to_empty(device="cpu")


def test_vgg11_loses_42_or_54_percent():
    kept = {"conv5": 359, "conv6": 359, "conv7": 359, "conv8": 52}
    _, own, structural = thinned(on_meta(VGG, depth=11, last_pool="max"), kept)
    assert (round(own, 1), round(structural, 1)) == (42.1, 53.6)


@pytest.mark.parametrize(("second", "percent"), [(308, 46.2), (103, 58.9)])
def test_resnet18_loses_46_or_59_percent(second, percent):
    layers = ("layer4.0.conv1", "layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2")
    kept = dict(zip(layers, (384, second, 384, 26), strict=True))
    _, _, structural = thinned(on_meta(GatedResNet18), kept, size=8)
    assert round(structural, 1) == percent


def test_the_structural_count_is_what_a_smaller_network_lacks():
    wide, narrow = Conv4(), Conv4(scale=0.5)
    counts, _, _ = thinned(wide, {"conv1": 16, "conv2": 16, "conv3": 32, "conv4": 32, "fc1": 256})
    assert counts.total - counts.structural == sum(leaf.numel() for leaf in narrow.parameters())


def test_nothing_is_gone_while_a_weight_of_every_unit_is_left():
    counts, _, _ = thinned(Conv4(scale=0.1), {})
    assert (counts.own, counts.structural) == (0, 0)
