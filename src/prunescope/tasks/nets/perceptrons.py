"""Fully connected networks: LeNet-300-100 and its relatives, and the two-layer network of the theory."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.tasks.nets.arguments import scaled
from prunescope.tasks.nets.initialize import initialize


class LeNet(nn.Sequential):
    """Logits [N, classes] of images or vectors of `inputs` numbers: linear layers with ReLU between them.

    Layers are fc1, fc2, ... for the hidden widths and `fc` for the output. 784-300-100-10 has 266,610
    parameters, of which 266,200 are weights.

    hidden: units of each hidden layer, before scaling; () is a linear classifier.
    inputs: numbers an example.
    classes: number of classes.
    scale: factor on every hidden width; dimensionless.
    initialization: see `prunescope.tasks.nets.initialize.initialize`.

    Raises UsageError for a width or scale below what is possible, an unknown initialization.

    Source: LeCun et al. 1998, section III.C; ReLU and this initialization as OpenLTH's mnist_lenet_300_100.
    """

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (300, 100),
        inputs: int = 784,
        classes: int = 10,
        scale: float = 1.0,
        initialization: str = "kaiming_normal",
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for number, width in enumerate((scaled(width, scale) for width in hidden), start=1):
            layers[f"fc{number}"] = nn.Linear(inputs, width)
            layers[f"relu{number}"] = nn.ReLU()
            inputs = width
        layers["fc"] = nn.Linear(inputs, classes)
        super().__init__(layers)
        initialize(self, initialization)


class PowerSum(nn.Module):
    """Logits [..., classes] of pre-activations [..., P, classes * m]: sum_j sum_p max(0, h_pkj)^power."""

    def __init__(self, *, classes: int, power: float) -> None:
        super().__init__()
        self.classes, self.power = classes, power

    def forward(self, h: Tensor) -> Tensor:
        """The logits."""
        activations = F.relu(h).pow(self.power).sum(dim=-2)
        return activations.reshape(*activations.shape[:-1], self.classes, -1).sum(dim=-1)


class TwoLayer(nn.Module):
    """Logits [N, classes] of patches [N, P, inputs]: F_j(x) = sum_r sum_p max(0, <w_jr, x_p>)^power.

    The weights w are one bias-free linear layer `fc1` of shape [classes * width, inputs], class by class.

    inputs: numbers a patch (d).
    width: neurons a class before scaling (m).
    classes: number of classes (K).
    scale: factor on `width`; dimensionless.
    power: exponent of the ReLU (q), at least 1.
    deviation: standard deviation of the initial weights, which are N(0, deviation^2).

    Raises UsageError for an impossible width or scale, fewer than one input or class, a power
    below 1, a deviation that is not positive.

    Source: Yang et al. 2023 (arXiv 2301.00335), section 2 (recalled).
    """

    def __init__(
        self,
        *,
        inputs: int,
        width: int,
        classes: int = 2,
        scale: float = 1.0,
        power: float = 3.0,
        deviation: float = 0.01,
    ) -> None:
        super().__init__()
        for name, value, least in (("inputs", inputs, 1), ("classes", classes, 1), ("power", power, 1.0)):
            if not value >= least:
                raise UsageError(f"{name}={value} is not possible; give at least {least}")
        if not deviation > 0:
            raise UsageError(f"deviation={deviation} leaves every weight at 0, where it stays; give more than 0")
        self.fc1 = nn.Linear(inputs, classes * scaled(width, scale), bias=False)
        nn.init.normal_(self.fc1.weight, std=deviation)
        self.readout = PowerSum(classes=classes, power=power)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.readout(self.fc1(x))
        return logits
