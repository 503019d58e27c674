"""Residual networks for CIFAR and ImageNet, over one pair of blocks.

Belongs here: blocks, shortcuts, and the three families that use them. Does not belong here: gates on residual sums
(`gated.py`); every sum passes through a module named `sum`, so that it can be observed and gated.

Names: conv1 and bn1 (the stem), layer1, layer2, ... (the stages, each a row of blocks), fc. Inside a block
conv1, bn1, conv2, bn2 (and conv3, bn3), and shortcut.conv, shortcut.bn where the shortcut is a projection.
"""

from collections import OrderedDict
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.tasks.nets.arguments import require_one_of, scaled
from prunescope.tasks.nets.initialize import initialize

SHORTCUTS = ("projection", "zero_pad")
OnSum = type[nn.Module]
"""The class of the modules that residual sums pass through; its argument is the number of channels."""


class ZeroPad(nn.Module):
    """The parameter-free shortcut: every `stride`-th pixel, and zeros for the channels that are missing.

    Maps x [N, inputs, H, W] to [N, outputs, ceil(H / stride), ceil(W / stride)]. The new channels are split
    evenly before and after the old ones, an odd one coming after.

    Source: He et al. 2016, section 3.3, option A; the even split is that of the ResNet-20 and -56 in
    Bartoldson et al. 2020. He et al. do not say where the zeros go.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.before = (outputs - inputs) // 2
        self.after = outputs - inputs - self.before
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """The output of the shortcut."""
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).

    Maps [N, inputs, H, W] to [N, width, H / stride, W / stride]; the first convolution takes the stride.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, *, stride: int, shortcut: str, on_sum: OnSum = nn.Identity) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(inputs, width, stride=stride, kind=shortcut)
        self.sum = on_sum(width)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, after its last ReLU."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(self.sum(out + self.shortcut(x)))


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution and a shortcut; the output is four times as wide as the middle.

    Maps [N, inputs, H, W] to [N, 4 width, H / stride, W / stride].

    Source: He et al. 2016, figure 5.
    Differs from the source: the 3x3 convolution takes the stride, not the first 1x1 one, as in torchvision.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, *, stride: int, shortcut: str, on_sum: OnSum = nn.Identity) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _shortcut(inputs, outputs, stride=stride, kind=shortcut)
        self.sum = on_sum(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, after its last ReLU."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(self.sum(out + self.shortcut(x)))


def _shortcut(inputs: int, outputs: int, *, stride: int, kind: str) -> nn.Module:
    """The identity where the shapes agree, else a module of the kind asked for."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if kind == "zero_pad":
        return ZeroPad(inputs, outputs, stride=stride)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), bn=nn.BatchNorm2d(outputs)
    )
    return nn.Sequential(layers)


def _small_stem(width: int) -> OrderedDict[str, nn.Module]:
    """For 32x32 images: one 3x3 convolution, which keeps the resolution."""
    return OrderedDict(conv1=nn.Conv2d(3, width, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(width), relu1=nn.ReLU())


def _large_stem(width: int) -> OrderedDict[str, nn.Module]:
    """For 224x224 images: a 7x7 convolution and a max pooling, which divide the resolution by 4."""
    return OrderedDict(
        conv1=nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )


def _after_stem(
    block: type[BasicBlock | Bottleneck],
    blocks: tuple[int, ...],
    *,
    width: int,
    classes: int,
    shortcut: str = "projection",
    on_sum: OnSum = nn.Identity,
) -> OrderedDict[str, nn.Module]:
    """Stages of `blocks` blocks each, the mean over pixels, and the output layer.

    A stage is twice as wide as the one before; its first block, except in the first stage, halves the
    resolution.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = width
    for stage, count in enumerate(blocks):
        modules = []
        for position in range(count):
            stride = 2 if stage > 0 and position == 0 else 1
            modules.append(block(inputs, width * 2**stage, stride=stride, shortcut=shortcut, on_sum=on_sum))
            inputs = width * 2**stage * block.expansion
        layers[f"layer{stage + 1}"] = nn.Sequential(*modules)
    layers["mean"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(inputs, classes)
    return layers


class CifarResNet(nn.Sequential):
    """Logits [N, classes] of images [N, 3, 32, 32] by ResNet-20, -32, -56, ...: three stages of basic blocks.

    With 10 classes and projections ResNet-20 has 272,474 parameters; ResNet-32 with 100 classes has
    472,756, and 1,872,132 at width 32.

    depth: 6 n + 2 for n >= 1 blocks a stage.
    width: channels of the first stage before scaling; the others have twice and four times the result.
    classes: number of classes.
    scale: factor on `width`; dimensionless.
    shortcut: "projection" (1x1 convolution and BatchNorm) or "zero_pad" (no parameters).
    initialization: see `prunescope.tasks.nets.initialize.initialize`.
    batchnorm: the same.

    Raises UsageError for a depth that is not 6 n + 2, an unknown name, an impossible width or scale.

    Source: He et al. 2016, section 4.2. The defaults are those of Jin et al. 2022 with OpenLTH; Bartoldson
    et al. 2020 use "zero_pad" and batchnorm "ones".
    Differs from the source: He et al. use "zero_pad".
    """

    on_sum: ClassVar[OnSum] = nn.Identity

    def __init__(
        self,
        *,
        depth: int = 20,
        width: int = 16,
        classes: int = 10,
        scale: float = 1.0,
        shortcut: str = "projection",
        initialization: str = "kaiming_normal",
        batchnorm: str = "uniform",
    ) -> None:
        if depth < 8 or depth % 6 != 2:
            raise UsageError(f"depth {depth} is not 6 n + 2; choose 8, 14, 20, 26, 32, 38, 44, 50, 56, ...")
        require_one_of("shortcut", shortcut, SHORTCUTS)
        base = scaled(width, scale)
        blocks = (depth // 6,) * 3
        stages = _after_stem(BasicBlock, blocks, width=base, classes=classes, shortcut=shortcut, on_sum=self.on_sum)
        super().__init__(_small_stem(base) | stages)
        initialize(self, initialization, batchnorm=batchnorm)


class ResNet18(nn.Sequential):
    """Logits [N, classes] of images [N, 3, 32, 32] by ResNet-18 for CIFAR: four stages of two basic blocks.

    It has 11,173,962 parameters with 10 classes and 11,220,132 with 100. Arguments and errors as for
    `CifarResNet`; the four stages have 1, 2, 4 and 8 times the scaled width, and shortcuts are projections.

    Source: He et al. 2016, table 1, with a 3x3 stem and no pooling after it, as in Bartoldson et al. 2020.
    """

    on_sum: ClassVar[OnSum] = nn.Identity

    def __init__(
        self,
        *,
        width: int = 64,
        classes: int = 10,
        scale: float = 1.0,
        initialization: str = "torch",
        batchnorm: str = "ones",
    ) -> None:
        base = scaled(width, scale)
        stages = _after_stem(BasicBlock, (2, 2, 2, 2), width=base, classes=classes, on_sum=self.on_sum)
        super().__init__(_small_stem(base) | stages)
        initialize(self, initialization, batchnorm=batchnorm)


class ResNet50(nn.Sequential):
    """Logits [N, classes] of images [N, 3, 224, 224] by ResNet-50: 3, 4, 6 and 3 bottlenecks.

    It has 25,557,032 parameters with 1,000 classes. Arguments and errors as for `ResNet18`; any image size
    above 32x32 works, since the last layer sees a mean over pixels.

    Source: He et al. 2016, table 1; the defaults are those of Jin et al. 2022 with OpenLTH.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        classes: int = 1000,
        scale: float = 1.0,
        initialization: str = "kaiming_normal",
        batchnorm: str = "uniform",
    ) -> None:
        base = scaled(width, scale)
        stages = _after_stem(Bottleneck, (3, 4, 6, 3), width=base, classes=classes)
        super().__init__(_large_stem(base) | stages)
        initialize(self, initialization, batchnorm=batchnorm)
