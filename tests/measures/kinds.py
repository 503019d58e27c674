"""Kinds of networks that a user may bring, and a slow float64 reference that shares no code with the package.

The reference calls the module itself by `functional_call`, one example at a time, and differentiates every entry of
the gradient once more.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.losses import cross_entropy
from prunescope.tasks.model import Model, network_of
from prunescope.tasks.task import Problem, Split

EXAMPLES, CLASSES = 6, 3


class Net(nn.Module):
    """A network whose forward pass is a function of itself and the inputs."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def tokens(x):
    return x.view(len(x), 2, 4)


def between(make, shape=(12,)):
    """A layer on [N, *shape], 12 numbers an example, between two linear ones."""
    return lambda: Net(
        lambda net, x: net.o(torch.tanh(net.n(net.a(x).view(-1, *shape))).flatten(1)),
        a=nn.Linear(8, 12),
        n=make(),
        o=nn.Linear(12, 3),
    )


def recurrent(make, width=5):
    return lambda: Net(lambda net, x: net.o(net.r(tokens(x))[0][:, -1]), r=make(), o=nn.Linear(width, 3))


def attention(net, x):
    return net.o(net.a(tokens(x), tokens(x), tokens(x), need_weights=False)[0].mean(1))


def dot_product(net, x):
    q, k, v = net.q(tokens(x)).chunk(3, -1)
    return net.o(F.scaled_dot_product_attention(q, k, v, is_causal=True).mean(1))


def encoder(**options):
    def make():
        layer = nn.TransformerEncoderLayer(4, 2, 5, batch_first=True, **options)
        return Net(lambda net, x: net.o(net.e(tokens(x)).mean(1)), e=layer, o=nn.Linear(4, 3))

    return make


class Doubled(torch.autograd.Function):
    """An operation that `torch.func` does not know."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return 2 * x * slope


def kept(net, x):
    net.last = net.a(x)
    return net.o(torch.tanh(net.last))


def looking(net, x):
    rows = []
    for row in x:
        hidden = net.a(row) if float(row.sum()) > 0 else net.b(row).square()
        while float(hidden.detach().norm()) > 1:
            hidden = hidden / 2
        rows.append(net.o(hidden))
    return torch.stack(rows)


def half_frozen(net, x):
    with torch.no_grad():
        x = net.a(x)
    return net.o(torch.relu(x))


def two(forward, **more):
    return lambda: Net(forward, a=nn.Linear(8, 6), o=nn.Linear(6, 3), **{k: v() for k, v in more.items()})


NETWORKS = {
    "perceptron": two(lambda net, x: net.o(torch.relu(net.a(x)))),
    "gelu": two(lambda net, x: net.o(F.gelu(net.a(x)))),
    "hard sigmoid": two(lambda net, x: net.o(F.hardswish(net.a(x)) * F.hardsigmoid(net.a(x.flip(1)), inplace=True))),
    "layer norm": between(lambda: nn.LayerNorm(12)),
    "group norm": between(lambda: nn.GroupNorm(2, 4), (4, 3)),
    "instance norm": between(lambda: nn.InstanceNorm1d(4, affine=True), (4, 3)),
    "batch norm": between(lambda: nn.BatchNorm1d(12)),
    "prelu": between(lambda: nn.PReLU(12)),
    "conv1d": between(lambda: nn.Conv1d(4, 4, 3, padding=1), (4, 3)),
    "grouped": between(lambda: nn.Conv2d(4, 4, 1, groups=2), (4, 3, 1)),
    "same": between(lambda: nn.Conv2d(1, 1, 3, padding="same"), (1, 4, 3)),
    "transposed": between(lambda: nn.ConvTranspose1d(4, 4, 3, padding=1), (4, 3)),
    "conv3d": between(lambda: nn.Conv3d(1, 1, 1), (1, 3, 2, 2)),
    "weight norm": between(lambda: parametrizations.weight_norm(nn.Linear(12, 12))),
    "bilinear": two(lambda net, x: net.o(net.b(net.a(x)[:, :2], net.a(x)[:, 2:4])), b=lambda: nn.Bilinear(2, 2, 6)),
    "lstm": recurrent(lambda: nn.LSTM(4, 3, batch_first=True), 3),
    "gru": recurrent(lambda: nn.GRU(4, 3, batch_first=True), 3),
    "both ways": recurrent(lambda: nn.RNN(4, 3, 1, batch_first=True, bidirectional=True), 6),
    "attention": lambda: Net(attention, a=nn.MultiheadAttention(4, 2, batch_first=True), o=nn.Linear(4, 3)),
    "dot product": lambda: Net(dot_product, q=nn.Linear(4, 12), o=nn.Linear(4, 3)),
    "encoder": encoder(),
    "encoder, norm first": encoder(norm_first=True, activation="gelu"),
    "shared": two(lambda net, x: net.o(net.b(net.b(net.a(x)).sin())), b=lambda: nn.Linear(6, 6)),
    "tied": two(lambda net, x: net.o(net.a(x)) + F.linear(x, net.o.weight @ net.a.weight)),
    "a weight outside of its module": two(lambda net, x: F.linear(torch.relu(net.a(x)), net.o.weight)),
    "its own parameters": lambda: Net(
        lambda net, x: (x @ net.w).tanh() @ net.v,
        w=nn.Parameter(torch.randn(8, 4)),
        v=nn.Parameter(torch.randn(4, 3)),
    ),
    "by keyword": two(lambda net, x: net.o(input=torch.relu(net.a(input=x)))),
    "time first": lambda: Net(
        lambda net, x: net.o(torch.relu(net.a(x.view(len(x), 6, 2).transpose(0, 1)))).mean(0),
        a=nn.Linear(2, 4),
        o=nn.Linear(4, 3),
    ),
    "looks at its data": two(looking, b=lambda: nn.Linear(8, 6)),
    "its own function": two(lambda net, x: net.o(Doubled.apply(net.a(x)))),
    "keeps a result": two(kept),
    "no gradient inside": two(half_frozen),
    "unused": two(lambda net, x: net.o(torch.tanh(net.a(x))), b=lambda: nn.Linear(2, 2)),
    "squeezed": two(lambda net, x: net.o(F.gelu(net.a(x))).squeeze()),
    "embedding": lambda: Net(
        lambda net, x: net.o(net.n(net.e(x)).mean(1)),
        e=nn.Embedding(5, 4),
        n=nn.LayerNorm(4),
        o=nn.Linear(4, 3),
    ),
}
WIDTH = {"time first": 12}


def problem_of(net, *, width=8, examples=EXAMPLES, whole=False):
    """A problem of the network, and a state with some weights removed."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(examples, width, generator=draw)
    x = torch.randint(0, 5, (examples, 4), generator=draw) if whole else x
    y = torch.arange(examples) % CLASSES
    split = Split(InMemory(x), torch.arange(examples), y, y)
    model = Model(network_of(net))
    problem = Problem(model, split, split, split, split, cross_entropy, (), CLASSES)
    return problem, state_of(problem, 0)


def state_of(problem, seed):
    params, buffers = problem.model.init(seed)
    masks = {n: leaf > -0.2 for n, leaf in params.items() if n in problem.model.maskable}
    return Weights(tree.masked(params, masks), buffers, masks)


def made(kind):
    return problem_of(NETWORKS[kind], width=WIDTH.get(kind, 8), whole=kind == "embedding")


class Reference:
    """Loss, gradients and Hessian over the kept weights of one state, example by example, float64."""

    def __init__(self, problem, weights):
        self.module = problem.model.network.build().double().eval()
        self.x, self.y = problem.test.inputs.tensor, problem.test.y
        self.x = self.x.double() if self.x.is_floating_point() else self.x
        self.buffers = {n: b.double() if b.is_floating_point() else b for n, b in weights.buffers.items()}
        self.leaves = {n: leaf.double().requires_grad_() for n, leaf in weights.params.items()}
        self.kept = torch.cat(
            [weights.masks.get(n, torch.ones_like(p, dtype=torch.bool)).flatten() for n, p in weights.params.items()]
        )

    def loss(self, row, leaves=None):
        tensors = {**(leaves or self.leaves), **self.buffers}
        scores = functional_call(self.module, tensors, (self.x[row : row + 1],)).reshape(1, -1)
        return F.cross_entropy(scores, self.y[row : row + 1])

    def flat(self, value, *, again=False):
        """The gradient of a number over all weights, as one vector."""
        if not value.requires_grad:
            return torch.zeros(len(self.kept)).double()
        parts = torch.autograd.grad(
            value, list(self.leaves.values()), create_graph=again, retain_graph=True, allow_unused=True
        )
        pairs = zip(parts, self.leaves.values(), strict=True)
        return torch.cat(
            [(torch.zeros_like(leaf) if part is None else part.to_dense()).flatten() for part, leaf in pairs]
        )

    def slopes(self):
        """[N, P]."""
        return torch.stack([self.flat(self.loss(row))[self.kept] for row in range(len(self.y))])

    def hessian(self):
        """[P, P]."""
        total = 0
        with sdpa_kernel(SDPBackend.MATH):
            for row in range(len(self.y)):
                slope = self.flat(self.loss(row), again=True)[self.kept]
                total = total + torch.stack([self.flat(entry)[self.kept] for entry in slope])
        return total / len(self.y)

    def differences(self, step=1e-5):
        """The same from first derivatives alone, to about 1e-9."""
        places, rows, parts = self.kept.nonzero().squeeze(1), [], list(self.leaves.values())
        for place in places.tolist():
            ends = []
            for sign in (1, -1):
                unit = torch.zeros(len(self.kept)).double().index_fill(0, torch.tensor([place]), sign * step)
                moves = unit.split([leaf.numel() for leaf in parts])
                pairs = zip(self.leaves, parts, moves, strict=True)
                self.leaves = {n: (p.detach() + m.view(p.shape)).requires_grad_() for n, p, m in pairs}
                ends.append(self.slopes().mean(0))
            rows.append((ends[0] - ends[1]) / (2 * step))
            self.leaves = dict(zip(self.leaves, parts, strict=True))
        return torch.stack(rows)

    def mean_loss(self, moved):
        """The mean loss after a vector [P] was added to the kept weights."""
        step = torch.zeros(len(self.kept)).double()
        step[self.kept] = moved
        parts = step.split([leaf.numel() for leaf in self.leaves.values()])
        pairs = zip(self.leaves.items(), parts, strict=True)
        leaves = {n: leaf.detach() + part.view(leaf.shape) for (n, leaf), part in pairs}
        return math.fsum(float(self.loss(row, leaves)) for row in range(len(self.y))) / len(self.y)
