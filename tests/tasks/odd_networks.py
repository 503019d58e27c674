"""Networks that fit, nearly fit, or seem to: what `inspect_problem` is shown."""

import random
import threading
import time
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


class SlowMean(Net):
    """Follows its inputs in either mode, too slowly for two passes to show it in outputs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x):
        self.mean.lerp_(x.detach().mean(0), 1e-5)
        return self.logits(x - self.mean)


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


class Stateful(Net):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.calls * self.logits(x)


class RunningMean(Net):
    """Keeps a mean in a plain attribute, which only evaluation looks at."""

    def __init__(self):
        super().__init__()
        self.mean = torch.zeros(8)

    def forward(self, x):
        if not self.training:
            return self.logits(x - self.mean)
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.logits(x - x.mean(0))


class LastMean(Net):
    """Evaluates with the mean of the last batch of training, which it writes and does not read there."""

    mean = 0

    def forward(self, x):
        if self.training:
            self.mean = x.mean(0)
        return self.logits(x - (0 if self.training else self.mean))


class FirstMean(Net):
    """Centres by the mean of the first examples that it ever sees, in a buffer that it makes then."""

    def forward(self, x):
        if not hasattr(self, "mean"):
            self.register_buffer("mean", x.mean(0))
        return self.logits(x - self.mean)


class FirstScale(Net):
    """Keeps the scale of its first batch of training in a plain attribute."""

    scale = None

    def forward(self, x):
        if self.training and self.scale is None:
            self.scale = x.std()
        return self.logits(x / self.scale if self.training else x)


class Keeping(Net):
    """Keeps what it computed for later looks, and positions for good."""

    positions, seconds = None, 0

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.features, self.all, self.order, self.first = {}, [], [self.norm, self.a], self.norm.forward
        self.a.register_forward_hook(lambda layer, args, outputs: setattr(layer, "last", outputs))

    def forward(self, x):
        start = time.perf_counter()
        if self.positions is None:
            self.positions = torch.linspace(0, 1, x.shape[1])
        hidden = x + self.positions
        self.features["hidden"] = hidden
        self.all.append(hidden)
        self.seconds = time.perf_counter() - start
        return self.logits(self.order[0](self.first(hidden)))


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
