"""Conv4, a small convolutional network without normalization."""

from collections import OrderedDict

from torch import nn

from prunescope.tasks.nets.arguments import scaled
from prunescope.tasks.nets.initialize import initialize


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
