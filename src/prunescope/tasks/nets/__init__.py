"""The networks of the papers as plain modules: images [N, C, H, W] in, logits [N, classes] out.

Belongs here: architectures and how they are initialized. Does not belong here: masks, training, pure
functions of parameters (`prunescope.tasks.model` makes those), or any random generator: a constructor draws
from torch's default generator, as every `nn.Module` does, and whoever builds the network seeds it.

Conventions, the same for every network. Arguments are keyword-only and plain numbers, strings or tuples, so
that a network can be described by its import path and arguments. `scale` multiplies every hidden width. A
convolution `conv<n>` is normalized by its sibling `bn<n>`; the output layer is `fc`. No forward pass changes a
tensor in place or branches on data, so that many copies can run as one under `torch.func.vmap`.
"""

from prunescope.tasks.nets.gated import Gate, GatedCifarResNet, GatedResNet18
from prunescope.tasks.nets.perceptrons import LeNet, TwoLayer
from prunescope.tasks.nets.resnet import CifarResNet, ResNet18, ResNet50
from prunescope.tasks.nets.vgg import VGG, Conv4

__all__ = [
    "VGG",
    "CifarResNet",
    "Conv4",
    "Gate",
    "GatedCifarResNet",
    "GatedResNet18",
    "LeNet",
    "ResNet18",
    "ResNet50",
    "TwoLayer",
]
