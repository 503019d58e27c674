"""Networks that fit, nearly fit, or seem to: what `inspect_problem` is shown."""

import random
import threading
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Two linear layers; subclasses say what becomes of their output."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, width), nn.Linear(width, 3)

    def logits(self, x):
        return self.b(torch.relu(self.a(x)))

    def forward(self, x):
        return self.logits(x)


class Pair(Net):
    def forward(self, x):
        return self.logits(x), x


class HuggingFace(Net):
    def forward(self, x):
        return SimpleNamespace(logits=self.logits(x), hidden=x)


class Mixing(Net):
    def forward(self, x):
        return self.logits(x - x.mean(0))


class Batchwise(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8, track_running_stats=False)

    def forward(self, x):
        return self.logits(self.norm(x))


class MixingOfMany(Net):
    """As layers of experts do, whose room is for a number of examples: a pair does not fill it."""

    def forward(self, x):
        return self.logits(x - x.mean(0) if len(x) > 2 else x)


class AlwaysDrawing(Net):
    def forward(self, x):
        return self.logits(F.dropout(x, 0.5))


class Flat(Net):
    def forward(self, x):
        return self.logits(x)[:, 0]


class Wrong(Net):
    def forward(self, x):
        return self.b(x)


class MoreInTraining(Net):
    def forward(self, x):
        out = self.logits(x)
        return torch.cat([out, out], 1) if self.training else out


class Double(Net):
    def __init__(self):
        super().__init__()
        self.double()


class Untrainable(Net):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


class InPlace(Net):
    def forward(self, x):
        x -= 1
        return self.logits(x)


class OneWay(torch.autograd.Function):
    """An operation whose backward pass fails."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, slope):
        raise KeyError("no way back")


class NoWayBack(Net):
    def forward(self, x):
        return OneWay.apply(self.logits(x))


class Squeezed(Net):
    def forward(self, x):
        return self.logits(x).squeeze()


class TransposedTie(Net):
    def __init__(self):
        super().__init__()
        self.c, self.d = nn.Linear(8, 8), nn.Linear(8, 8)
        self.d.weight = nn.Parameter(self.c.weight.t())


class NumbersOfPython(Net):
    def forward(self, x):
        return self.logits(x) * (random.random() if self.training else 1)


class Renormed(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 8, max_norm=0.1), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.table(x[:, 0].abs().long().clamp(max=4)))


class NotANumber(Net):
    def forward(self, x):
        return self.logits(x) / 0 * 0


class RandomFeatures(Net):
    """A matrix that is drawn when the module is made, and neither a parameter nor a buffer."""

    def __init__(self, trains=False):
        super().__init__()
        self.features = torch.randn(8, 8, requires_grad=trains)

    def forward(self, x):
        return self.logits(x @ self.features)


class LayersInAList(Net):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 8)]

    def forward(self, x):
        return self.logits(self.layers[0](x))


class RandomBuffer(RandomFeatures):
    """The right way, but for the generator: no seed of torch's gives the same numbers again."""

    def __init__(self):
        super().__init__()
        del self.features
        self.register_buffer("features", torch.tensor([[random.random()] * 8] * 8))


class Computed(Net):
    def __init__(self):
        super().__init__()
        self.twice = self.a.weight * 2


class Sparse(Net):
    def forward(self, x):
        return self.logits(x).to_sparse()


class Locked(Net):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class SparseBuffer(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.eye(8).to_sparse())


class HoldsItsNorm(Net):
    """A train() of its own holds a layer in evaluation mode; a number that NumPy has not."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("scale", torch.ones(8, dtype=torch.bfloat16))

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, x):
        return self.logits(self.norm(x) * self.scale)


def infinite():
    module = Net()
    with torch.no_grad():
        module.a.bias.div_(0)
    return module


def hooked():
    module = Net()
    module.a.weight.register_hook(lambda slope: 0 * slope)
    return module


ONCE = Net()


class SharedPart(nn.Module):
    def __init__(self):
        super().__init__()
        self.base, self.head = ONCE, nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.base(x))
