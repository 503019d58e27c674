"""Small networks whose units are found, each block as its authors wire it, and inputs of them."""

import torch
import torch.nn.functional as F
from torch import nn

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(5))
TOKENS = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(6))
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(7))


class Squeezed(nn.Module):
    """MobileNetV3's block: expansion, depthwise convolution, squeeze and excitation, projection."""

    def __init__(self, width=4, squeeze=3):
        super().__init__()
        self.expand, self.bn1 = nn.Conv2d(3, width, 1, bias=False), nn.BatchNorm2d(width)
        self.depth, self.bn2 = nn.Conv2d(width, width, 3, groups=width), nn.BatchNorm2d(width)
        self.reduce, self.excite = nn.Conv2d(width, squeeze, 1), nn.Conv2d(squeeze, width, 1)
        self.project, self.fc = nn.Conv2d(width, 3, 1), nn.Linear(3, 2)

    def forward(self, x):
        y = F.hardswish(self.bn1(self.expand(x)))
        y = F.hardswish(self.bn2(self.depth(y)))
        y = y * F.hardsigmoid(self.excite(F.relu(self.reduce(y.mean((2, 3), keepdim=True)))))
        return self.fc((self.project(y)).mean((2, 3)))


class Twofold(nn.Module):
    """Two depthwise convolutions of the same channels, concatenated with these."""

    def __init__(self, width=4):
        super().__init__()
        self.enter, self.one = nn.Conv2d(3, width, 1), nn.Conv2d(width, width, 3, groups=width, padding=1)
        self.two = nn.Conv2d(width, 2 * width, 3, groups=width, padding=1)
        self.fc = nn.Conv2d(4 * width, 2, 1)

    def forward(self, x):
        x = F.relu(self.enter(x))
        return self.fc(torch.cat([self.one(x), x, F.gelu(self.two(x))], 1)).mean((2, 3))


class Grouped(nn.Module):
    """ResNeXt's block: a grouped convolution, whose groups stay, in a residual sum."""

    def __init__(self, width=4):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 5, 3), nn.Conv2d(5, width, 1)
        self.bn, self.grouped = nn.BatchNorm2d(width), nn.Conv2d(width, 4, 3, groups=2, padding=1)
        self.last, self.fc = nn.Conv2d(4, 5, 1), nn.Linear(5, 2)

    def forward(self, x):
        x = self.stem(x)
        y = F.relu(self.grouped(F.relu(self.bn(self.first(x)))))
        x += self.last(y)
        return self.fc(F.relu_(x).mean((2, 3)))


class Dense(nn.Module):
    """DenseNet's block: what is concatenated is normalized by every layer that reads it."""

    def __init__(self, width=4):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(3 + width, 2, 3, padding=1)
        self.bn2, self.bn3 = nn.BatchNorm2d(3 + width), nn.BatchNorm2d(5 + width)
        self.fc = nn.Linear((5 + width) * 4, 2)

    def forward(self, x):
        x = torch.cat([x, self.one(x)], 1)
        x = torch.cat([x, self.two(F.relu(self.bn2(x)))], 1)
        return self.fc(F.max_pool2d(F.relu(self.bn3(x)), 4).flatten(1))


class Gated(nn.Module):
    """A gated unit in two layers (Llama's) or one, with an activation that keeps zeros or not."""

    def __init__(self, width=4, packed=False, gate=F.silu):
        super().__init__()
        self.packed, self.gate = packed, gate
        self.up = nn.Linear(6, 2 * width if packed else width)
        self.side = nn.Linear(6, 1 if packed else width)
        self.down = nn.Linear(width, 6)
        self.norm, self.fc = nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        up, side = self.up(x).chunk(2, -1) if self.packed else (self.up(x), self.side(x))
        x = x + self.down(up * self.gate(side))
        return self.fc(self.norm(x).mean(1))


class Heads(nn.Module):
    """Attention before normalization, from one packed layer or three, with a second layer over tokens."""

    def __init__(self, heads=3, packed=True, groups=1):
        super().__init__()
        self.heads, self.kv, size = heads, heads // groups, 2 * heads
        if packed:
            self.qkv = nn.Linear(6, 3 * size)
        else:
            self.q, self.k, self.v = nn.Linear(6, size), nn.Linear(6, size // groups), nn.Linear(6, size // groups)
        self.proj, self.norm, self.fc = nn.Linear(size, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        n, t, _ = x.shape
        packed = self.qkv(x).chunk(3, -1) if hasattr(self, "qkv") else (self.q(x), self.k(x), self.v(x))
        q, k, v = (part.reshape(n, t, -1, 2).transpose(1, 2) for part in packed)
        k, v = (part.repeat_interleave(self.heads // self.kv, 1) for part in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, -1)
        return self.fc(self.norm(x + self.proj(y)).mean(1))


class Conv1D(nn.Module):  # as in transformers.pytorch_utils
    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, outputs)), nn.Parameter(torch.randn(outputs))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight).view(*x.shape[:-1], -1)


class Turned(nn.Module):
    """Weights of shape [in, out], as GPT-2 has."""

    def __init__(self, width=4):
        super().__init__()
        self.up, self.down, self.fc = Conv1D(width, 6), Conv1D(6, width), nn.Linear(6, 2)

    def forward(self, x):
        return self.fc((x + self.down(F.gelu(self.up(x)))).mean(1))


class Products(nn.Module):
    """Products with weights that are no modules."""

    def __init__(self, width=4):
        super().__init__()
        self.up, self.down = nn.Parameter(torch.randn(width, 6)), nn.Parameter(torch.randn(width, 6))
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        return self.fc((x + torch.tanh(x @ self.up.T) @ self.down).mean(1))


class UNet(nn.Module):
    """A transposed convolution, and channels of the encoder that are read again after it."""

    def __init__(self, width=4, inner=5):
        super().__init__()
        self.enter, self.deep = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, inner, 2, stride=2)
        self.rise, self.out = nn.ConvTranspose2d(inner, 3, 2, stride=2), nn.Conv2d(width + 3, 2, 1)

    def forward(self, x):
        x = F.relu(self.enter(x))
        return self.out(torch.cat([F.relu(self.rise(F.relu(self.deep(x)))), x], 1)).mean((2, 3))


class Written(nn.Module):
    """Channels that are written into a part of another tensor, in place."""

    def __init__(self, width=4):
        super().__init__()
        self.one, self.fc, self.width = nn.Conv2d(3, width, 1), nn.Conv2d(width + 1, 2, 1), width

    def forward(self, x):
        room = x.new_ones(len(x), self.width + 1, *x.shape[2:])
        room[:, 1:] = self.one(x)
        return self.fc(room.relu_()).mean((2, 3))


class Mixed(nn.Module):
    """A tied layer, a recurrent one and a branch by value beside layers that are understood."""

    def __init__(self):
        super().__init__()
        self.tied, self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 5), nn.Linear(5, 6)
        self.lstm, self.inner, self.fc = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        x = self.tied(torch.tanh(self.tied(x)))
        x = x + self.second(F.relu(self.first(x)))
        return self.fc(F.relu(self.inner(self.lstm(x)[0][:, -1])))


class Reused(nn.Module):
    """A weight that reads two layers, and a normalization after two others."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.shared, self.fc = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(4, 5), nn.Linear(5, 2)
        self.three, self.four, self.bn, self.last = nn.Linear(6, 5), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 5)

    def forward(self, x):
        both = self.shared(F.relu(self.one(x))) + self.shared(F.relu(self.two(x)))
        return self.fc(both + self.last(F.relu(self.bn(self.three(x)) + self.bn(self.four(x)))))
