"""Modules on [R, N, ...]: what replaces the layers of a network in a stack.

Belongs here: layers whose parameters or statistics belong to a member, linear ones also with products only where
weights are, and layers that count axes from the front. Does not belong here: which network may be treated so
(`forward.py`).

Convolutions of R members are one grouped convolution on [N, R * C, H, W]. What it returns looks like [R, N, C, H, W]
and lies in memory as before, so consecutive layers pass it on without a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunescope.tasks.kernels import mlp_kernels, products
from prunescope.tasks.kernels.products import Pattern
from prunescope.tasks.nets.gated import Gate
from prunescope.tasks.nets.perceptrons import PowerSum


@dataclass(frozen=True)
class Patterns:
    """Where R members have weights in one layer; their values are [R, M], 0 behind the last weight of a member."""

    members: tuple[Pattern, ...]

    def values(self, dense: Tensor) -> Tensor:
        """The entries [R, M] of dense tensors [R, O, I]."""
        packed = [pattern.pack(leaf) for pattern, leaf in zip(self.members, dense, strict=True)]
        return nn.utils.rnn.pad_sequence(packed, batch_first=True)

    def dense(self, values: Tensor, row: int) -> Tensor:
        """The tensor [O, I] of one member, from values [M]."""
        return self.members[row].unpack(values[: self.members[row].weights])

    def without(self, row: int) -> "Patterns":
        """The patterns without a member; the last takes its place."""
        *others, last = self.members
        return Patterns(tuple(last if number == row else pattern for number, pattern in enumerate(others)))


def without(tensor: Tensor, row: int) -> Tensor:
    """The first axis without one row, whose place the last one takes; in place, so nobody else may hold it."""
    last = len(tensor) - 1
    if row != last:
        tensor[row] = tensor[last]
    return tensor[:last]


class StackedLayer(nn.Module):
    """Has the slots of the module whose place it takes; what lies in them may be no `nn.Parameter`."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self._parameters.update(plain._parameters)
        self._buffers.update(plain._buffers)


class StackedLinear(StackedLayer):
    """`nn.Linear` on [R, ..., I] with weights [R, O, I], or [R, M] where it has a pattern, and biases [R, O]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain)
        self.pattern: Patterns | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The outputs [R, ..., O]; features first in memory."""
        columns = features_first(x)
        if self.pattern is not None:
            y = SparseProduct.apply(self.weight, columns, self.pattern)  # type: ignore[no-untyped-call]
        else:
            y = torch.bmm(self.weight, columns)
        if self.bias is not None:
            y = y + self.bias.unsqueeze(2)
        return split_axis(y.transpose(1, 2), 1, x.shape[1:-1]) if x.ndim > 2 else y.squeeze(2)


def split_axis(x: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    """`x` with one axis written as several; a view for any strides."""
    return cast(Tensor, x.unflatten(axis, tuple(sizes)))  # type: ignore[no-untyped-call]


def features_first(x: Tensor) -> Tensor:
    """[R, ..., I] as [R, I, B]."""
    return x.flatten(1, -2).transpose(1, 2) if x.ndim > 2 else x.unsqueeze(2)


class SparseProduct(torch.autograd.Function):
    """W x with weights [R, M] in a pattern, x [R, I, B]: the loops of one network, member by member."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, x: Tensor, at: Patterns) -> Tensor:
        """The outputs [R, O, B]."""
        x, outs = x.contiguous(), at.members[0].shape[0]
        y, bias = torch.empty(len(value), outs, x.shape[2]), np.zeros(outs, np.float32)
        for pattern, weights, inputs, outputs in zip(at.members, *map(array, (value, x, y)), strict=True):
            mlp_kernels.spread(*pattern.rows.arrays, weights, bias, inputs, outputs, False)
        ctx.at = at
        ctx.save_for_backward(value, x)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of weights and inputs; that of a weight that is not there is never made."""
        value, x = ctx.saved_tensors
        g, gw, members = grads[0].contiguous(), torch.zeros_like(value), ctx.at.members
        bias, step = np.zeros(g.shape[1], np.float32), (np.float32(0), np.float32(-1))
        for pattern, *operands in zip(members, *map(array, (g, x, gw)), strict=True):
            mlp_kernels.descend(*pattern.rows.arrays, *operands, bias, *step)
        if not ctx.needs_input_grad[1]:
            return gw, None, None
        gx = [products.input_gradient(*parts) for parts in zip(members, value, g, strict=True)]
        return gw, torch.stack(gx), None


def array(tensor: Tensor) -> NDArray[Any]:
    """The numpy view of a CPU tensor without a graph, contiguous."""
    view: NDArray[Any] = tensor.detach().contiguous().numpy()
    return view


def side_by_side(x: Tensor) -> Tensor:
    """[R, N, C, ...] as [N, R * C, ...]."""
    return x.transpose(0, 1).flatten(1, 2)


def apart(x: Tensor, members: int) -> Tensor:
    """The inverse of `side_by_side`."""
    return split_axis(x, 1, (members, -1)).transpose(0, 1)


class StackedConv2d(StackedLayer):
    """`nn.Conv2d` on [R, N, C, H, W] with weights [R, O, C / groups, k, k]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, plain: nn.Conv2d) -> None:
        super().__init__(plain)
        self.groups = plain.groups
        self.options: Any = {"stride": plain.stride, "padding": plain.padding, "dilation": plain.dilation}

    def forward(self, x: Tensor) -> Tensor:
        """The outputs [R, N, O, H', W']."""
        bias = None if self.bias is None else self.bias.flatten()
        weight, groups = self.weight.flatten(0, 1), len(x) * self.groups
        return apart(F.conv2d(side_by_side(x), weight, bias, groups=groups, **self.options), len(x))


class StackedBatchNorm(StackedLayer):
    """Batch normalization of [R, N, C, ...] in the mode of the plain module; weights and statistics [R, C]."""

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, plain: _BatchNorm) -> None:
        super().__init__(plain)
        self.by_batch = plain.training or plain.running_mean is None
        self.options: Any = {"training": self.by_batch, "momentum": plain.momentum, "eps": plain.eps}

    def forward(self, x: Tensor) -> Tensor:
        """The normalized examples; in training mode the statistics move in place, as the plain module's do."""
        if self.num_batches_tracked is not None and self.by_batch:
            self.num_batches_tracked.add_(1)
        tensors = (self.running_mean, self.running_var, self.weight, self.bias)
        mean, variance, scale, shift = (None if part is None else part.view(-1) for part in tensors)
        return apart(F.batch_norm(side_by_side(x), mean, variance, scale, shift, **self.options), len(x))


class StackedDropout(nn.Module):
    """`nn.Dropout` in which every member draws from its own generator, as it would alone."""

    def __init__(self, plain: nn.Dropout) -> None:
        super().__init__()
        self.p = plain.p
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, x: Tensor) -> Tensor:
        """The inputs, each 0 with probability p, else divided by 1 - p."""
        kept = [
            torch.empty_like(part).bernoulli_(1 - self.p, generator=generator)
            for part, generator in zip(x, self.generators, strict=True)
        ]
        return x * (torch.stack(kept) / (1 - self.p))


class SideBySide(nn.Module):
    """A layer without parameters that acts on every channel alike, such as pooling."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def forward(self, x: Tensor) -> Tensor:
        """What the layer makes of each member."""
        return apart(self.plain(side_by_side(x)), len(x))


class StackedGate(StackedLayer):
    """`Gate` on [R, N, C, ...]; its buffer is bool [R, C]."""

    gate: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """The input with each member's closed channels at 0."""
        return x * self.gate.view(len(x), 1, -1, *[1] * (x.ndim - 3))


class StackedFlatten(nn.Module):
    """`nn.Flatten` that leaves the axis of members alone."""

    def __init__(self, plain: nn.Flatten) -> None:
        super().__init__()
        self.start, self.end = plain.start_dim, plain.end_dim

    def forward(self, x: Tensor) -> Tensor:
        """The flattened examples."""
        return x.flatten(*(axis + 1 if axis >= 0 else axis for axis in (self.start, self.end)))


class StackedPowerSum(nn.Module):
    """`PowerSum` of pre-activations [R, N, P, classes * m], which lie in memory with their features first."""

    def __init__(self, plain: PowerSum) -> None:
        super().__init__()
        self.classes, self.power = plain.classes, plain.power

    def forward(self, h: Tensor) -> Tensor:
        """The logits [R, N, classes]."""
        return cast(Tensor, _PowerSum.apply(h, self.classes, self.power))  # type: ignore[no-untyped-call]


class _PowerSum(torch.autograd.Function):
    """As separate operations, readout and gradient take longer than the matrix products."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, classes: int, power: float) -> Tensor:
        value = features_first(h).clamp(min=0)
        slope = value.square() if power == 3 else value.pow(power - 1)
        ctx.save_for_backward(slope)
        ctx.power, ctx.shape = power, h.shape[1:3]
        sums = split_axis(value.mul_(slope), 1, (classes, -1)).sum(2)
        return split_axis(sums, 2, ctx.shape).sum(-1).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        g = (ctx.power * grads[0]).transpose(1, 2)  # [R, classes, N]
        wide = g.unsqueeze(3).expand(*g.shape, ctx.shape[1]).flatten(2).unsqueeze(2)
        slope = split_axis(ctx.saved_tensors[0], 1, (g.shape[1], -1)).mul_(wide).flatten(1, 2)
        return split_axis(slope.transpose(1, 2), 1, ctx.shape), None, None


def stacked(module: nn.Module) -> nn.Module | None:
    """What takes the place of a module in a stack; None where it stays, which need not be right: see `forward.py`."""
    kind = type(module)
    if kind is nn.Linear:
        return StackedLinear(cast(nn.Linear, module))
    if kind is nn.Conv2d and cast(nn.Conv2d, module).padding_mode == "zeros":
        return StackedConv2d(cast(nn.Conv2d, module))
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d) and cast(_BatchNorm, module).momentum is not None:
        return StackedBatchNorm(cast(_BatchNorm, module))
    if kind is nn.Dropout:
        return StackedDropout(cast(nn.Dropout, module)) if module.training else nn.Identity()
    if kind is nn.Flatten:
        return StackedFlatten(cast(nn.Flatten, module))
    if kind in (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d):
        return SideBySide(module)
    if kind is Gate:
        return StackedGate(cast(Gate, module))
    if kind is PowerSum:
        return StackedPowerSum(cast(PowerSum, module))
    return None
