"""Modules on [R, N, ...]: what replaces the layers of a network in a stack.

Belongs here: layers whose parameters or statistics belong to a member, and layers that count axes from the front.
Does not belong here: linear layers (`linear.py`), which network may be treated so (`forward.py`).

Convolutions of R members are one grouped convolution on [N, R * C, H, W]. What it returns looks like [R, N, C, H, W]
and lies in memory as before, so consecutive layers pass it on without a copy.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunescope.tasks.nets.gated import Gate
from prunescope.tasks.nets.perceptrons import PowerSum
from prunescope.training.engines.stacked.linear import StackedLayer, StackedLinear, features_first, split_axis


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
