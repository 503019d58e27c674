"""The readout of the two-layer network, fused: one sweep forward, one backward.

Belongs here: this one function of a stack. Does not belong here: its definition (`tasks/nets/two_layer.py`).

As separate operations it takes longer than the matrix products beside it.
"""

from typing import Any, cast

import torch
from torch import Tensor

from prunescope.tasks.nets.two_layer import PowerSum
from prunescope.training.engines.stacked import kernels
from prunescope.training.engines.stacked.compiled import compiled_for
from prunescope.training.engines.stacked.kernels import array


class StackedPowerSum(PowerSum):
    """`PowerSum` of [R, N, P, classes * m], by compiled loops for float32 on a CPU."""

    def __init__(self, plain: PowerSum) -> None:
        super().__init__(classes=plain.classes, power=plain.power)

    def forward(self, h: Tensor) -> Tensor:
        """The logits [R, N, classes]."""
        if h.ndim != 4 or not compiled_for(h):
            return super().forward(h)
        return cast(Tensor, Fused.apply(h, self.classes, self.power))


class Fused(torch.autograd.Function):
    """Logits [R, N, classes] of [R, N, P, classes * m]."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, classes: int, power: float) -> Tensor:
        """The logits; the slopes are kept."""
        columns = h.flatten(1, 2).transpose(1, 2).contiguous()  # no copy where a product wrote features first
        out = torch.empty(len(h), classes, h.shape[1])
        slope = torch.empty_like(columns)
        kernels.power_sum(array(columns), h.shape[2], power, out.numpy(), slope.numpy())
        ctx.slope, ctx.shape = slope, h.shape
        return out.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the pre-activations, features first in memory."""
        gh = torch.empty_like(ctx.slope)
        kernels.power_sum_gradient(array(grads[0].transpose(1, 2)), ctx.shape[2], array(ctx.slope), gh.numpy())
        return gh.transpose(1, 2).unflatten(1, ctx.shape[1:3]), None, None
