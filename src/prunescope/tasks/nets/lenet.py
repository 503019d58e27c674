"""The fully connected LeNet: LeNet-300-100 and its relatives of any depth."""

from collections import OrderedDict

from torch import nn

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
