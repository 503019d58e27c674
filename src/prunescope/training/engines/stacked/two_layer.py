"""The two-layer network of the theory in a stack, where its inputs never change: two sweeps and no copies.

As separate operations its readout takes longer than the matrix products, and half of the products multiply by zero.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from prunescope.tasks.nets.two_layer import TwoLayer
from prunescope.training.engines.stacked import two_layer_kernels as kernels
from prunescope.training.engines.stacked.inputs import LANES, Fixed
from prunescope.training.engines.stacked.linear import Pattern, StackedLinear, array


class StackedTwoLayer(nn.Module):
    """`TwoLayer` of [R, N, P, I]. fixed: the inputs, where they are known beforehand."""

    def __init__(self, plain: TwoLayer) -> None:
        super().__init__()
        self.fc1, self.readout = StackedLinear(plain.fc1), plain.readout
        self.fixed: Fixed | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The logits [R, N, classes]."""
        known = self.fixed
        if known is None or x.data_ptr() != known.x.data_ptr() or x.shape != known.x.shape:
            return cast(Tensor, self.readout(self.fc1(x)))
        shape = (self.readout.classes, x.shape[2], self.readout.power)
        made = Fused.apply(self.fc1.weight, self.fc1.pattern, known, *shape)  # type: ignore[no-untyped-call]
        return cast(Tensor, made)


class Fused(torch.autograd.Function):
    """Logits from weights, [R, O, I] or [R, M] in a pattern, of inputs that are known."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, at: Pattern | None, known: Fixed, classes: int, patches: int, power: float
    ) -> Tensor:
        """The logits; slopes are kept."""
        R, B = known.order.shape
        outputs = weight.shape[1] if at is None else at.shape[0]
        out, slope = torch.zeros(R, classes, B // patches), torch.empty(R, outputs, -(-B // LANES) * LANES)
        ends: Any = (array(known.order), patches, power, out.numpy(), slope.numpy())
        if at is None:
            y = torch.bmm(weight.detach(), known.full)
            kernels.two_layer(array(y), array(weight), *lone(known), *ends)
        else:
            operands: Any = (array(at.row), array(at.index), array(weight), array(known.full))
            kernels.sparse_two_layer(*operands, *lone_by_input(known), *ends)
        ctx.at, ctx.known, ctx.patches, ctx.slope, ctx.like = at, known, patches, slope, weight
        return out.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the weights."""
        at, known, slope = ctx.at, ctx.known, ctx.slope
        shared: Any = (array(grads[0].transpose(1, 2)), array(known.order), ctx.patches, slope.numpy())
        if at is None:
            kernels.two_layer_slopes(*shared)
            gw = torch.bmm(slope[:, :, : known.full.shape[2]], known.full.transpose(1, 2))
            ends: Any = (slope.numpy(), *lone(known), gw.numpy())
            kernels.lone_gradient(*ends)
        else:
            gw = torch.empty_like(ctx.like)
            operands: Any = (array(at.row), array(at.index), array(known.full))
            operands = (*operands, *lone_by_input(known), gw.numpy())
            kernels.sparse_two_layer_gradient(*shared, *operands)
        return gw, None, None, None, None, None


def lone(known: Fixed) -> Any:
    """The numbers outside the full columns: how many, where, what."""
    return tuple(array(part) for part in (known.count, known.index, known.column, known.value))


def lone_by_input(known: Fixed) -> Any:
    """The same, found by their input."""
    return tuple(array(part) for part in (known.start, known.column, known.value))
