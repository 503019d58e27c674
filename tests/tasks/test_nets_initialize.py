"""The laws that the initializations promise, by moments."""

import pytest
import torch
from torch import nn

from prunescope.tasks.nets import VGG, LeNet, ResNet18, TwoLayer


def build(network, arguments, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return network(**arguments)


def check_moments(sample, *, mean, variance, tolerance=6.0):
    """Mean and variance within `tolerance` standard errors, for laws with a kurtosis of at most 3."""
    sample = sample.detach().double().flatten()
    count = sample.numel()
    assert abs(sample.mean().item() - mean) < tolerance * (variance / count) ** 0.5
    assert abs(sample.var().item() / variance - 1) < tolerance * (2 / count) ** 0.5


@pytest.mark.parametrize(
    ("initialization", "conv", "linear"),
    [
        ("kaiming_normal", 2 / (9 * 64), 2 / 512),
        ("kaiming_normal_fan_out", 2 / (9 * 128), 1 / (3 * 512)),
        ("torch", 1 / (3 * 9 * 64), 1 / (3 * 512)),
    ],
)
def test_weights_have_the_variance_of_the_named_law(initialization, conv, linear):
    network = build(VGG, {"depth": 11, "classes": 100, "initialization": initialization})
    assert network.conv2.weight.shape == (128, 64, 3, 3)
    check_moments(network.conv2.weight, mean=0, variance=conv)
    check_moments(network.fc.weight, mean=0, variance=linear)


@pytest.mark.parametrize("initialization", ["kaiming_normal", "torch"])
def test_biases_keep_the_law_of_pytorch(initialization):
    network = build(VGG, {"depth": 11, "classes": 100, "initialization": initialization})
    bound = (9 * 512) ** -0.5
    assert network.conv8.bias.abs().max() <= bound
    check_moments(network.conv8.bias, mean=0, variance=bound**2 / 3)
    check_moments(network.fc.bias, mean=0, variance=1 / (3 * 512))


def test_fan_out_zeroes_the_biases_of_convolutions_only():
    network = build(VGG, {"depth": 11, "initialization": "kaiming_normal_fan_out"})
    assert not network.conv1.bias.any()
    assert network.fc.bias.any()


def test_kaiming_weights_are_normal_and_torch_weights_are_not():
    def kurtosis(initialization):
        weight = build(LeNet, {"initialization": initialization}).fc1.weight.double()
        return (weight.pow(4).mean() / weight.pow(2).mean() ** 2).item()

    assert kurtosis("kaiming_normal") == pytest.approx(3, abs=0.1)
    assert kurtosis("torch") == pytest.approx(9 / 5, abs=0.05)


def test_batchnorm_gammas_are_uniform_or_one_and_betas_zero():
    uniform, ones = (build(ResNet18, {"batchnorm": batchnorm}) for batchnorm in ("uniform", "ones"))
    gammas = torch.cat([m.weight for m in uniform.modules() if isinstance(m, nn.BatchNorm2d)])
    assert gammas.min() >= 0
    assert gammas.max() < 1
    check_moments(gammas, mean=0.5, variance=1 / 12)
    assert not any(m.bias.any() for m in uniform.modules() if isinstance(m, nn.BatchNorm2d))
    assert all((m.weight == 1).all() for m in ones.modules() if isinstance(m, nn.BatchNorm2d))


def test_two_layer_weights_have_the_asked_deviation():
    network = build(TwoLayer, {"inputs": 100, "width": 100, "deviation": 0.3})
    check_moments(network.fc1.weight, mean=0, variance=0.09)
