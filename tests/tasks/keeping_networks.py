"""Networks that keep something from one pass to the next, which some may and most may not."""

import time

import torch
from odd_networks import Net
from torch import nn


class SlowMean(Net):
    """Follows its inputs in either mode, too slowly for two passes to show it in outputs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x):
        self.mean.lerp_(x.detach().mean(0), 1e-5)
        return self.logits(x - self.mean)


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
