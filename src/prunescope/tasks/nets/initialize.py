"""Named initializations of convolutions, linear layers and BatchNorm."""

from torch import nn

from prunescope.tasks.nets.arguments import require_one_of

INITIALIZATIONS = ("kaiming_normal", "kaiming_normal_fan_out", "torch")
BATCHNORMS = ("ones", "uniform")


def initialize(network: nn.Module, initialization: str, *, batchnorm: str = "ones") -> None:
    """Draws the weights of a freshly constructed network anew, in place, by the named law.

    | `initialization`         | convolution weight | linear weight      | convolution bias |
    |--------------------------|--------------------|--------------------|------------------|
    | "kaiming_normal"         | N(0, 2 / fan_in)   | N(0, 2 / fan_in)   | torch            |
    | "kaiming_normal_fan_out" | N(0, 2 / fan_out)  | torch              | 0                |
    | "torch"                  | torch              | torch              | torch            |

    where fan_in = inputs * kernel area and fan_out = outputs * kernel area (a linear layer's area is 1), and
    "torch" is the law of PyTorch's constructors: U(-b, b) with b = 1 / sqrt(fan_in), for weights and biases
    alike. Linear biases are always torch's. BatchNorm's gamma is 1 ("ones") or from U(0, 1) ("uniform");
    its beta is 0.

    network: just constructed, so that what is left alone still has PyTorch's law.
    initialization: one of `INITIALIZATIONS`.
    batchnorm: one of `BATCHNORMS`.

    Raises UsageError for an unknown name.

    Source: He et al. 2015, eq. 10 (fan in) and eq. 14 (fan out). "kaiming_normal" with "uniform" is
    OpenLTH, which Jin et al. 2022 used; with "ones" it is Bartoldson et al. 2020's ResNet-20 and -56;
    "kaiming_normal_fan_out" is their VGG-11, "torch" their ResNet-18.
    """
    require_one_of("initialization", initialization, INITIALIZATIONS)
    require_one_of("batchnorm", batchnorm, BATCHNORMS)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _draw_weight(module, initialization)
        elif isinstance(module, nn.BatchNorm2d) and batchnorm == "uniform":
            nn.init.uniform_(module.weight)


def _draw_weight(layer: nn.Conv2d | nn.Linear, initialization: str) -> None:
    if initialization == "kaiming_normal":
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    elif initialization == "kaiming_normal_fan_out" and isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
