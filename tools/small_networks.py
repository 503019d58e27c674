"""Small networks of many kinds, each a function of `scale`, which multiplies hidden widths; no weights are downloaded.

Belongs here: networks. Does not belong here: their data and names (`zoo.py`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 3


def tenfold(scale: float, unit: int = 8) -> int:
    """`unit` times the scale, a multiple of 2."""
    return max(2, 2 * round(unit * scale / 2))


# ---- torchvision


def mobilenet_v3(scale: float = 1.0) -> nn.Module:
    import torchvision

    return torchvision.models.mobilenet_v3_small(width_mult=0.25 * scale, num_classes=CLASSES, dropout=0.0)


def densenet(scale: float = 1.0) -> nn.Module:
    import torchvision

    return torchvision.models.DenseNet(tenfold(scale), (2, 2), 8, num_classes=CLASSES)


def shufflenet_v2(scale: float = 1.0) -> nn.Module:
    import torchvision

    widths = [8, *(tenfold(scale, unit) for unit in (16, 24, 32)), 32]
    return torchvision.models.ShuffleNetV2([2, 2, 2], widths, num_classes=CLASSES)


def torchvision_vit(scale: float = 1.0) -> nn.Module:
    import torchvision

    return torchvision.models.VisionTransformer(16, 4, 2, 2, 16, tenfold(scale, 32), num_classes=CLASSES)


# ---- timm


def resnet(scale: float = 1.0) -> nn.Module:
    from timm.models import resnet as made

    widths = [tenfold(scale, unit) for unit in (8, 8, 16, 16)]
    return made.ResNet(made.BasicBlock, (1, 1, 1, 1), num_classes=CLASSES, channels=widths, stem_width=8)


def resnext(scale: float = 1.0) -> nn.Module:
    from timm.models import resnet as made

    shape = {"channels": (8, 8, 16, 16), "cardinality": 4, "base_width": 16 if scale > 0.75 else 8}
    return made.ResNet(made.Bottleneck, (1, 1, 1, 1), num_classes=CLASSES, stem_width=8, **shape)


def regnet(scale: float = 1.0) -> nn.Module:
    from timm.models import regnet as made

    widths = {"depth": 8, "w0": 8, "wa": 8.0, "wm": 2.0, "stem_width": 8}
    shape = made.RegNetCfg(group_size=4, bottle_ratio=scale, se_ratio=0.25, **widths)
    return made.RegNet(shape, num_classes=CLASSES)


def efficientnet(scale: float = 1.0) -> nn.Module:
    from timm.models._efficientnet_builder import decode_arch_def
    from timm.models.efficientnet import EfficientNet

    blocks = [["ds_r1_k3_s1_e1_c8_se0.25"], [f"ir_r2_k3_s2_e{4 * scale:.2f}_c12_se0.25"]]
    return EfficientNet(decode_arch_def(blocks), num_classes=CLASSES, num_features=32, stem_size=8)


def convnext(scale: float = 1.0) -> nn.Module:
    from timm.models.convnext import ConvNeXt

    dims = [8, *(tenfold(scale, unit) for unit in (12, 16, 24))]
    return ConvNeXt(num_classes=CLASSES, depths=(1, 1, 1, 1), dims=dims, patch_size=2)


def timm_vit(scale: float = 1.0) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    shape = {"embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 2 * scale}
    return VisionTransformer(img_size=16, patch_size=4, num_classes=CLASSES, **shape)


def swin(scale: float = 1.0) -> nn.Module:
    from timm.models.swin_transformer import SwinTransformer

    shape = {"embed_dim": 8, "depths": (2, 2), "num_heads": (2, 2), "mlp_ratio": 2 * scale}
    return SwinTransformer(img_size=16, patch_size=2, window_size=4, num_classes=CLASSES, **shape)


def mixer(scale: float = 1.0) -> nn.Module:
    from timm.models.mlp_mixer import MlpMixer

    shape = {"num_blocks": 2, "embed_dim": 16, "mlp_ratio": (0.5, 2 * scale)}
    return MlpMixer(img_size=16, patch_size=4, num_classes=CLASSES, **shape)


# ---- transformers


def hf_vit(scale: float = 1.0) -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ViTConfig(image_size=16, patch_size=4, num_labels=CLASSES, intermediate_size=tenfold(scale, 32), **shape)
    return ViTForImageClassification(config)


def mobilenet_v2(scale: float = 1.0) -> nn.Module:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    config = MobileNetV2Config(depth_multiplier=0.25 * scale, min_depth=4, num_labels=CLASSES, output_stride=8)
    return MobileNetV2ForImageClassification(config)


def bert(scale: float = 1.0) -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16}
    width = tenfold(scale, 32)
    return BertForSequenceClassification(
        BertConfig(vocab_size=32, intermediate_size=width, num_labels=CLASSES, **shape)
    )


def albert(scale: float = 1.0) -> nn.Module:
    from transformers import AlbertConfig, AlbertForSequenceClassification

    shape = {"hidden_size": 16, "embedding_size": 8, "num_attention_heads": 2, "max_position_embeddings": 16}
    config = AlbertConfig(
        vocab_size=32, num_hidden_layers=2, intermediate_size=tenfold(scale, 32), num_labels=CLASSES, **shape
    )
    return AlbertForSequenceClassification(config)


def gpt2(scale: float = 1.0) -> nn.Module:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    shape = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16, "n_inner": tenfold(scale, 32)}
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
    return GPT2ForSequenceClassification(GPT2Config(vocab_size=32, num_labels=CLASSES, **ends, **shape))


def llama(scale: float = 1.0) -> nn.Module:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(
        vocab_size=32, intermediate_size=tenfold(scale, 32), num_labels=CLASSES, pad_token_id=0, **shape
    )
    return LlamaForSequenceClassification(config)


# ---- PyTorch


class Recurrent(nn.Module):
    """Tokens through a recurrent layer; the last state is classified."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], width: int) -> None:
        super().__init__()
        self.embed, self.core = nn.Embedding(32, 8), kind(8, width, batch_first=True)
        self.hidden, self.fc = nn.Linear(width, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.hidden(self.core(self.embed(x))[0][:, -1])))


def lstm(scale: float = 1.0) -> nn.Module:
    return Recurrent(nn.LSTM, tenfold(scale))


def gru(scale: float = 1.0) -> nn.Module:
    return Recurrent(nn.GRU, tenfold(scale))


class UNet(nn.Module):
    """A class for every pixel; the encoder's channels are read again by the decoder."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        a, b = tenfold(scale, 6), tenfold(scale, 12)
        self.one, self.bn = nn.Conv2d(3, a, 3, padding=1), nn.BatchNorm2d(a)
        self.two, self.up = nn.Conv2d(a, b, 3, padding=1), nn.ConvTranspose2d(b, a, 2, stride=2)
        self.three, self.fc = nn.Conv2d(2 * a, a, 3, padding=1), nn.Conv2d(a, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.one(x)))
        low = F.relu(self.two(F.max_pool2d(x, 2)))
        return self.fc(F.relu(self.three(torch.cat([x, F.relu(self.up(low))], 1))))


class Graph(nn.Module):
    """Two graph convolutions (Kipf and Welling 2017) on a ring of eight nodes, then a mean."""

    ring: Tensor

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        width = tenfold(scale, 16)
        self.one, self.two, self.fc = nn.Linear(4, width), nn.Linear(width, 8), nn.Linear(8, CLASSES)
        ring = torch.eye(8) + torch.eye(8).roll(1, 0) + torch.eye(8).roll(-1, 0)
        self.register_buffer("ring", ring / 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.ring @ self.one(x))
        return self.fc(torch.relu(self.ring @ self.two(x)).mean(1))


class Tabular(nn.Module):
    """Numbers, and categories by embeddings, into a perceptron."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.embed, width = nn.Embedding(32, 4), tenfold(scale, 16)
        self.one, self.bn = nn.Linear(5 + 2 * 4, width), nn.BatchNorm1d(width)
        self.two, self.fc = nn.Linear(width, 8), nn.Linear(8, CLASSES)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        x = torch.cat([numbers, self.embed(categories).flatten(1)], 1)
        return self.fc(torch.relu(self.two(torch.relu(self.bn(self.one(x))))))


def encoder(scale: float = 1.0) -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, tenfold(scale, 32), batch_first=True, dropout=0.0)
    return nn.Sequential(nn.Embedding(32, 16), nn.TransformerEncoder(layer, 2), Mean(), nn.Linear(16, CLASSES))


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


def audio(scale: float = 1.0) -> nn.Module:
    width = tenfold(scale)
    return nn.Sequential(
        *(nn.Conv1d(2, width, 5, stride=2), nn.BatchNorm1d(width), nn.ReLU(), nn.Conv1d(width, 2 * width, 3)),
        *(nn.BatchNorm1d(2 * width), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2 * width, CLASSES)),
    )
