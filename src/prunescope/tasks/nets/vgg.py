"""VGG and Conv-4 for 32x32 images: rows of convolutions and poolings, linear layers behind them."""

from collections import OrderedDict

from torch import nn

from prunescope.tasks.nets.arguments import require_one_of, scaled
from prunescope.tasks.nets.initialize import initialize

DEPTHS = (11, 13, 16, 19)
STAGE_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Sequential):
    """Logits [N, classes] of images [N, 3, 32, 32] by VGG-11, -13, -16 or -19.

    Each of five stages is a row of 3x3 convolutions (with bias), BatchNorm and ReLU, and ends in a 2x2
    pooling, the last of which leaves one pixel. Convolutions are conv1, conv2, ... in forward order, their
    norms bn1, bn2, ....

    depth: number of convolutions and linear layers in the original numbering: 11, 13, 16 or 19.
    classes: number of classes.
    scale: factor on every convolution's width; dimensionless.
    last_pool: "average" or "max", the pooling after the fifth stage; the four before it are max poolings.
    initialization: see `prunescope.tasks.nets.initialize.initialize`.
    batchnorm: the same.

    Raises UsageError for an unknown depth, pooling or initialization, an impossible scale.

    Source: Simonyan and Zisserman 2015, table 1, as cut down for CIFAR by Jin et al. 2022 with OpenLTH (the
    defaults; VGG-16 has 14,728,266 parameters) and Bartoldson et al. 2020 (depth 11, last_pool "max",
    "kaiming_normal_fan_out", "ones"; 9,231,114 parameters).
    """

    def __init__(
        self,
        *,
        depth: int = 16,
        classes: int = 10,
        scale: float = 1.0,
        last_pool: str = "average",
        initialization: str = "kaiming_normal",
        batchnorm: str = "uniform",
    ) -> None:
        require_one_of("last_pool", last_pool, ("average", "max"))
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inputs, number = 3, 0
        for stage, (width, convolutions) in enumerate(zip(STAGE_WIDTHS, _plan(depth), strict=True), start=1):
            for _ in range(convolutions):
                number += 1
                outputs = scaled(width, scale)
                layers[f"conv{number}"] = nn.Conv2d(inputs, outputs, 3, padding=1)
                layers[f"bn{number}"] = nn.BatchNorm2d(outputs)
                layers[f"relu{number}"] = nn.ReLU()
                inputs = outputs
            averages = stage == len(STAGE_WIDTHS) and last_pool == "average"
            layers[f"pool{stage}"] = nn.AvgPool2d(2) if averages else nn.MaxPool2d(2)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(inputs, classes)
        super().__init__(layers)
        initialize(self, initialization, batchnorm=batchnorm)


def _plan(depth: int) -> tuple[int, ...]:
    """Number of convolutions in each of the five stages."""
    require_one_of("depth", depth, DEPTHS)
    early = 1 if depth == 11 else 2
    late = {11: 2, 13: 2, 16: 3, 19: 4}[depth]
    return (early, early, late, late, late)


class Conv4(nn.Sequential):
    """Logits [N, classes] of images [N, 3, 32, 32]: two pairs of 3x3 convolutions, then two linear layers.

    The first convolution of a pair pads by 1, the second does not; each pair ends in a 2x2 max pooling. It
    has 1,250,858 parameters, of which the penultimate layer `fc1` holds 94.3 %.

    classes: number of classes.
    scale: factor on the widths 32, 64 (convolutions) and 512 (linear); dimensionless.
    initialization: see `prunescope.tasks.nets.initialize.initialize`.

    Raises UsageError for an impossible scale, an unknown initialization.

    Source: Bartoldson et al. 2019 (arXiv 1906.03728v1), figure A3.
    Differs from the source: the paper does not state padding, activation and initialization. The padding is
    the one that meets its parameter count; ReLU and PyTorch's initialization are chosen here.
    """

    def __init__(self, *, classes: int = 10, scale: float = 1.0, initialization: str = "torch") -> None:
        narrow, wide, hidden = (scaled(width, scale) for width in (32, 64, 512))
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(3, narrow, 3, padding=1),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(narrow, narrow, 3),
            relu2=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv3=nn.Conv2d(narrow, wide, 3, padding=1),
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(wide, wide, 3),
            relu4=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(wide * 6 * 6, hidden),
            relu5=nn.ReLU(),
            fc=nn.Linear(hidden, classes),
        )
        super().__init__(layers)
        initialize(self, initialization)
