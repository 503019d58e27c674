"""Linear layers of a stack: dense, or with products only where weights are.

Belongs here: the products of a linear layer and their gradients. Does not belong here: which layer is sparse
(`working.py`), the loops themselves (`kernels.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from prunescope.training.engines.stacked import kernels
from prunescope.training.engines.stacked.inputs import Fixed, without
from prunescope.training.engines.stacked.kernels import array


@dataclass(frozen=True)
class Pattern:
    """Where R members have weights in one layer of O x I.

    row: int32 [R, O + 1]; index: int32 [R, M]; place: int64 [R, M], flat place in the dense layer; real: bool [R, M],
    whether a place is used at all.
    """

    row: Tensor
    index: Tensor
    place: Tensor
    real: Tensor
    shape: tuple[int, int]

    def values(self, dense: Tensor) -> Tensor:
        """The entries [R, M] of dense tensors [R, O, I], 0 at unused places."""
        return dense.flatten(1).gather(1, self.place) * self.real

    def dense(self, values: Tensor, row: int) -> Tensor:
        """The tensor [O, I] of one member, from values [M]."""
        outputs, inputs = self.shape
        made = values.new_zeros(outputs * inputs)
        real = self.real[row]
        made[self.place[row][real]] = values[real]
        return made.view(outputs, inputs)

    def without(self, row: int) -> "Pattern":
        """The pattern without a member; the last takes its place. Works in place."""
        parts = (without(part, row) for part in (self.row, self.index, self.place, self.real))
        return Pattern(*parts, self.shape)


def pattern(masks: Sequence[Tensor]) -> Pattern:
    """The pattern of masks [O, I], one a member."""
    outputs, inputs = masks[0].shape
    places = [mask.flatten().nonzero()[:, 0] for mask in masks]
    most = max(1, *(len(place) for place in places))
    place = torch.zeros(len(masks), most, dtype=torch.int64)
    real = torch.zeros(len(masks), most, dtype=torch.bool)
    row = torch.zeros(len(masks), outputs + 1, dtype=torch.int32)
    for r, (mask, found) in enumerate(zip(masks, places, strict=True)):
        place[r, : len(found)], real[r, : len(found)] = found, True
        row[r, 1:] = mask.sum(1).cumsum(0)
    return Pattern(row, (place % inputs).int(), place, real, (outputs, inputs))


def take_parameters(module: nn.Module, plain: nn.Module) -> None:
    """Gives a module the slots of the one whose place it takes; what lies in them may be no `nn.Parameter`."""
    module._parameters.update(plain._parameters)
    module._buffers.update(plain._buffers)


class StackedLinear(nn.Module):
    """`nn.Linear` on [R, ..., I] with weights [R, O, I], or [R, M] where it has a pattern, and biases [R, O].

    fixed: inputs that are known beforehand, if this is the first layer.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        take_parameters(self, plain)
        self.inputs = plain.in_features
        self.pattern: Pattern | None = None
        self.fixed: Fixed | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The outputs [R, ..., O]; features first in memory where a product of this module made them."""
        weight, bias = self.weight, self.bias
        known = self.fixed if self.fixed is not None and _same(x, self.fixed.x) else None
        columns = known.columns if known is not None else features_first(x)
        split = known if known is not None and known.split else None
        if self.pattern is not None:
            y = SparseProduct.apply(weight, columns, self.pattern, split)
        elif split is not None:
            y = SplitProduct.apply(weight, split)
        else:
            y = torch.bmm(weight, columns)
        if bias is not None:
            y = y + bias.unsqueeze(2)
        return y.transpose(1, 2).unflatten(1, x.shape[1:-1]) if x.ndim > 2 else y.squeeze(2)


def features_first(x: Tensor) -> Tensor:
    """[R, ..., I] as [R, I, B]."""
    return x.flatten(1, -2).transpose(1, 2) if x.ndim > 2 else x.unsqueeze(2)


def _same(x: Tensor, known: Tensor) -> bool:
    return x.data_ptr() == known.data_ptr() and x.numel() == known.numel() and x.shape[-1] == known.shape[-1]


class SparseProduct(torch.autograd.Function):
    """W x with weights [R, M] in a pattern, x [R, I, B]."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, x: Tensor, at: Pattern, known: Fixed | None) -> Tensor:
        """The outputs [R, O, B]."""
        R, O, B = len(value), at.shape[0], x.shape[2]
        row, index, weights = array(at.row), array(at.index), array(value)
        ctx.at, ctx.known = at, known
        y = torch.empty(R, O, B)
        if known is None:
            x = x.contiguous()
            kernels.sparse_product(row, index, weights, array(x), y.numpy())
        else:
            part = torch.empty(R, O, known.full.shape[2])
            kernels.sparse_product(row, index, weights, array(known.full), part.numpy())
            kernels.spread(part.numpy(), array(known.place), y.numpy())
            few = (array(known.start), array(known.column), array(known.value))
            kernels.add_few_sparse(row, index, weights, *few, y.numpy())
        ctx.save_for_backward(value, x)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of weights and inputs; that of a weight that is not there is never made."""
        value, x = ctx.saved_tensors
        at, known, g = ctx.at, ctx.known, array(grads[0])
        row, index = array(at.row), array(at.index)
        gw = torch.empty_like(value)
        if known is None:
            kernels.sparse_weight_gradient(row, index, g, array(x), gw.numpy())
        else:
            part = torch.empty(*g.shape[:2], known.full.shape[2])
            kernels.gather(g, array(known.place), part.numpy())
            kernels.sparse_weight_gradient(row, index, part.numpy(), array(known.full), gw.numpy())
            few = (array(known.start), array(known.column), array(known.value))
            kernels.few_gradient_sparse(row, index, *few, g, gw.numpy())
        gx = None
        if ctx.needs_input_grad[1]:
            gx = torch.empty_like(x)
            kernels.sparse_input_gradient(row, index, array(value), g, gx.numpy())
        return gw, gx, None, None


class SplitProduct(torch.autograd.Function):
    """W x with dense weights [R, O, I] and inputs that are known beforehand."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, known: Fixed) -> Tensor:
        """The outputs [R, O, B]."""
        ctx.known, ctx.shape = known, weight.shape
        y = torch.empty(*weight.shape[:2], known.columns.shape[2])
        part = torch.bmm(weight.detach(), known.full)
        kernels.spread(part.numpy(), array(known.place), y.numpy())
        kernels.add_few(array(weight), *_few(known), y.numpy())
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the weights."""
        known, g = ctx.known, array(grads[0])
        part = torch.empty(*g.shape[:2], known.full.shape[2])
        kernels.gather(g, array(known.place), part.numpy())
        gw = torch.bmm(part, known.full.transpose(1, 2))
        kernels.few_gradient(g, *_few(known), gw.numpy())
        return gw, None


def _few(known: Fixed) -> tuple[Any, ...]:
    return tuple(array(part) for part in (known.count, known.index, known.column, known.value))
