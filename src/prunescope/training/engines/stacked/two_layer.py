"""The readout of the theory's two-layer network in a stack, with a gradient by hand and no copies."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from prunescope.tasks.nets.two_layer import PowerSum
from prunescope.training.engines.stacked.linear import features_first, split_axis


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
