"""A small network, its pruned versions, and the files that other libraries make of them; imported by tests."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize, prune


class Net(nn.Module):
    """Two convolutions with BatchNorm, and a linear layer."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(2 * width * 4, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(torch.max_pool2d(torch.relu(self.bn2(self.conv2(x))), 4).flatten(1))


class Sized(Net):
    """Cannot be built without arguments."""

    def __init__(self, width: int) -> None:
        super().__init__(width)


class Mask(nn.Module):
    """A parametrization that multiplies with a mask, as torch.ao.pruning has it."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


class MaskedLinear(nn.Linear):
    """A layer with a mask of its own."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.register_buffer("kept", torch.ones(outputs, inputs))

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.kept, self.bias)


def examples(count: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 10
    return torch.randn(count, 1, 8, 8, generator=generator) + y.view(-1, 1, 1, 1) / 5, y


def dense(seed: int = 0, cls=Net, **args) -> nn.Module:
    """A network whose statistics have seen data."""
    torch.manual_seed(seed)
    net = cls(**args)
    for number in range(3):
        net(examples(40, number)[0])
    return net


def pruned(net: nn.Module, amount: float = 0.7) -> nn.Module:
    """The network, pruned by torch.nn.utils.prune, whose hooks and masks are still there."""
    net = copy.deepcopy(net)
    prune.global_unstructured(weights(net), prune.L1Unstructured, amount=amount)
    return net


def weights(net: nn.Module):
    return [(layer, "weight") for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def baked(net: nn.Module) -> nn.Module:
    """The same, with its zeros in the weights."""
    net = pruned(net)
    for layer, name in weights(net):
        prune.remove(layer, name)
    return net


def parametrized(net: nn.Module) -> nn.Module:
    """The same, whose zeros are made by parametrizations, from weights that are not 0."""
    plain = baked(net)
    for layer, _ in weights(plain):
        mask = (layer.weight != 0).float()
        layer.weight.data[mask == 0] = 5.0
        parametrize.register_parametrization(layer, "weight", Mask(mask))
    return plain
