"""The networks of `small_networks.py` by name, each as a task: 48 training and 24 test examples.

Belongs here: data, whose classes differ in their means. Does not belong here: what is asked of the networks
(`networks.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import small_networks as nets
import torch
from small_networks import CLASSES
from torch import Tensor, nn

import prunescope as ps


def labels() -> Tensor:
    return torch.arange(72) % CLASSES


def numbers(*shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, *shape, generator=draw)
    return centres[labels()] + torch.randn(72, *shape, generator=draw)


def tokens() -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return 2 + 10 * labels()[:, None] + torch.randint(0, 10, (72, 8), generator=draw)


def tabular() -> tuple[Tensor, Tensor]:
    return numbers(5), tokens()[:, :2]


def pixels() -> Tensor:
    return (numbers(3, 8, 8).sum(1) > 0).long()


@dataclass(frozen=True)
class Kind:
    """A network and its data.

    factory: makes the network.
    x: makes its inputs.
    y: makes its labels.
    target: what they are.
    """

    factory: Callable[..., nn.Module]
    x: Callable[[], Any]
    y: Callable[[], Tensor] = labels
    target: Any = None

    def task(self) -> ps.Task:
        x, y = self.x(), self.y()
        cut = lambda part: tuple(p[part] for p in x) if isinstance(x, tuple) else x[part]  # noqa: E731
        target = {} if self.target is None else {"target": self.target}
        train, test = slice(0, 48), slice(48, 72)
        return ps.Task.from_module(self.factory, train=(cut(train), y[train]), test=(cut(test), y[test]), **target)


def images() -> Tensor:
    return numbers(3, 16, 16)


ZOO = {
    "ResNet (timm)": Kind(nets.resnet, images),
    "ResNeXt (timm)": Kind(nets.resnext, images),
    "RegNetY (timm)": Kind(nets.regnet, images),
    "MobileNetV2 (transformers)": Kind(nets.mobilenet_v2, images),
    "MobileNetV3 (torchvision)": Kind(nets.mobilenet_v3, images),
    "EfficientNet (timm)": Kind(nets.efficientnet, images),
    "ShuffleNetV2 (torchvision)": Kind(nets.shufflenet_v2, images),
    "DenseNet (torchvision)": Kind(nets.densenet, images),
    "ConvNeXt (timm)": Kind(nets.convnext, lambda: numbers(3, 32, 32)),
    "ViT (timm)": Kind(nets.timm_vit, images),
    "ViT (transformers)": Kind(nets.hf_vit, images),
    "ViT (torchvision)": Kind(nets.torchvision_vit, images),
    "Swin (timm)": Kind(nets.swin, images),
    "MLP-Mixer (timm)": Kind(nets.mixer, images),
    "BERT (transformers)": Kind(nets.bert, tokens),
    "ALBERT (transformers)": Kind(nets.albert, tokens),
    "GPT-2 (transformers)": Kind(nets.gpt2, tokens),
    "Llama (transformers)": Kind(nets.llama, tokens),
    "Transformer encoder": Kind(nets.encoder, tokens),
    "LSTM": Kind(nets.lstm, tokens),
    "GRU": Kind(nets.gru, tokens),
    "U-Net": Kind(nets.UNet, lambda: numbers(3, 8, 8), pixels, ps.Sequence(classes_at="second")),
    "graph convolutions": Kind(nets.Graph, lambda: numbers(8, 4)),
    "tabular, embeddings": Kind(nets.Tabular, tabular),
    "1-D convolutions": Kind(nets.audio, lambda: numbers(2, 32)),
}
