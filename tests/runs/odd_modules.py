"""Modules of every kind, most of which somebody has pruned, some of which nobody can train."""

import collections
import functools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

pytestmark = pytest.mark.filterwarnings("ignore")


class Body(nn.Module):
    """Flattens, then a layer or two; `end` makes something of the outputs."""

    def __init__(self, first=None, outputs=3, end=None):
        super().__init__()
        self.first = first or nn.LazyLinear(6)
        self.last, self.end = nn.LazyLinear(outputs), end or (lambda module, z: z)

    def forward(self, x):
        return self.end(self, self.last(self.first(x.flatten(1)).flatten(1)))


class Sequences(nn.Module):
    def __init__(self, kind=nn.LSTM, **more):
        super().__init__()
        self.embed, self.cells, self.fc = nn.Embedding(20, 6), kind(6, 5, batch_first=True, **more), nn.Linear(5, 3)

    def forward(self, x):
        return self.fc(self.cells(self.embed(x))[0])


class Attention(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.embed, self.fc = nn.Embedding(20, 8), nn.Linear(8, 3)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)

    def forward(self, x, mask=None):
        z = self.embed(x)
        return self.fc(self.attention(z, z, z, key_padding_mask=mask)[0].mean(1))


class Convolutions(nn.Sequential):
    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__(nn.Conv2d(1, 4, 3), norm(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ParameterList([nn.Parameter(torch.randn(8, 5)), nn.Parameter(torch.randn(5, 3))])
        self.spare = nn.Linear(2, 2)

    def forward(self, x):
        return x.flatten(1)[:, :8] @ self.parts[0] @ self.parts[1]


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(3)

    def forward(self, a, b):
        return self.fc(torch.cat([a.flatten(1).float(), b.flatten(1).float()], 1))


class Counting(Body):
    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x) + self.calls


class Mutating(Body):
    def forward(self, x):
        x -= 1
        return super().forward(x)


def raising(module, z):
    raise KeyError("mine")


def shared(module=nn.Linear(8, 3)):  # noqa: B008
    return module


ENDS = {
    "tensor": None,
    "tuple": lambda module, z: (z, z * 2),
    "dictionary": lambda module, z: {"logits": z, "loss": None},
    "object": lambda module, z: SimpleNamespace(logits=z),
    "named tuple": lambda module, z: collections.namedtuple("Out", "a b")(z, z),
    "nothing": lambda module, z: None,
    "list": lambda module, z: list(z),
    "mean": lambda module, z: z.mean(),
    "flat": lambda module, z: z[:, 0],
    "one row": lambda module, z: z[:1],
    "more dimensions": lambda module, z: z[:, :, None].expand(-1, -1, 2),
    "integers": lambda module, z: z.argmax(1),
    "half": lambda module, z: z.half(),
    "not a number": lambda module, z: z * float("nan"),
    "infinite": lambda module, z: z / 0,
    "mixed": lambda module, z: z - z.mean(0),
    "drawn by numpy": lambda module, z: z + float(np.random.rand()),  # noqa: NPY002
    "drawn": lambda module, z: z + torch.rand_like(z),
    "drawn in training": lambda module, z: F.dropout(z, 0.3, module.training),
    "looks at data": lambda module, z: z * 2 if float(z.sum()) > 0 else z,
    "without a graph": lambda module, z: z.detach(),
    "in place": lambda module, z: z.relu_(),
    "raises": raising,
}


def ending(end):
    def build():
        return Body(end=end)

    return build


MODULES = {
    **{f"ends: {name}": ending(end) for name, end in ENDS.items()},
    **{f"{outputs} outputs": functools.partial(Body, outputs=outputs) for outputs in (1, 2, 7)},
    "linear": lambda: nn.Linear(8, 3),
    "batch norm": lambda: Body(nn.Sequential(nn.LazyLinear(6), nn.BatchNorm1d(6))),
    "no statistics": lambda: Body(nn.Sequential(nn.LazyLinear(6), nn.BatchNorm1d(6, track_running_stats=False))),
    "layer norm": lambda: Body(nn.Sequential(nn.LazyLinear(6), nn.LayerNorm(6))),
    "dropout": lambda: Body(nn.Dropout(0.5)),
    "weight norm": lambda: Body(parametrizations.weight_norm(nn.Linear(8, 6))),
    "spectral norm": lambda: Body(parametrizations.spectral_norm(nn.Linear(8, 6))),
    "orthogonal": lambda: Body(parametrizations.orthogonal(nn.Linear(8, 6))),
    "pruned": lambda: Body(prune.l1_unstructured(nn.Linear(8, 6), "weight", 0.5)),
    "float64": lambda: nn.Linear(8, 3).double(),
    "half": lambda: nn.Linear(8, 3).half(),
    "complex": lambda: Body(nn.Linear(8, 6, dtype=torch.complex64)),
    "frozen": lambda: nn.Linear(8, 3).requires_grad_(False),
    "partly frozen": lambda: Body(nn.Linear(8, 6).requires_grad_(False)),
    "held": lambda: Body(nn.Sequential(nn.LazyLinear(6), nn.BatchNorm1d(6)).eval()),
    "no parameters": lambda: nn.Flatten(),
    "identity": nn.Identity,
    "meta": lambda: nn.Linear(8, 3, device="meta"),
    "script": lambda: torch.jit.script(nn.Linear(8, 3)),
    "parallel": lambda: nn.DataParallel(nn.Linear(8, 3)),
    "shared": shared,
    "no module": lambda: "net",
    "needs arguments": nn.Linear,
    "raises": lambda: 1 / 0,
    "instance": nn.Linear(8, 3),
    "lazy instance": nn.LazyLinear(3),
    "not callable": 7,
    "vectors only": lambda: nn.PReLU(8),
    "lstm": lambda: nn.LSTM(8, 3, batch_first=True),
    "sequences": Sequences,
    "gru": lambda: Sequences(nn.GRU),
    "attention": Attention,
    "attention over examples": lambda: Attention(batch_first=False),
    "convolutions": Convolutions,
    "group norm": lambda: Convolutions(lambda width: nn.GroupNorm(2, width)),
    "own matrices": Own,
    "two inputs": TwoInputs,
    "counting": Counting,
    "mutating": Mutating,
    "embedding bag": lambda: nn.EmbeddingBag(20, 3),
    "bilinear": lambda: nn.Bilinear(8, 8, 3),
    "empty": lambda: nn.Linear(8, 0),
}
