"""Linear layers of a stack: dense, or with products only where weights are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prunescope.tasks.kernels import mlp_kernels


@dataclass(frozen=True)
class Pattern:
    """Where R members have weights in one layer of O x I.

    row: int32 [R, O + 1], where the weights of each output begin.
    index: int32 [R, M], their inputs.
    place: int64 [R, M], their flat places in the dense layer.
    real: bool [R, M], whether a place is used at all.
    """

    row: Tensor
    index: Tensor
    place: Tensor
    real: Tensor
    shape: tuple[int, int]

    @property
    def arrays(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Rows and inputs as loops take them."""
        return array(self.row).view(np.uint32), array(self.index).view(np.uint32)

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
        starts, index, place, real = (without(part, row) for part in (self.row, self.index, self.place, self.real))
        return Pattern(starts, index, place, real, self.shape)


def without(tensor: Tensor, row: int) -> Tensor:
    """The first axis without one row, whose place the last one takes; in place, so nobody else may hold it."""
    last = len(tensor) - 1
    if row != last:
        tensor[row] = tensor[last]
    return tensor[:last]


def pattern(masks: Sequence[Tensor]) -> Pattern:
    """The pattern of masks [O, I], one a member."""
    outputs, inputs = masks[0].shape
    places = [mask.flatten().nonzero()[:, 0] for mask in masks]
    most = max(1, *(len(place) for place in places))
    place = torch.zeros(len(masks), most, dtype=torch.int64)
    real = torch.zeros(len(masks), most, dtype=torch.bool)
    row = torch.zeros(len(masks), outputs + 1, dtype=torch.int32)
    for r, (mask, flat) in enumerate(zip(masks, places, strict=True)):
        place[r, : len(flat)], real[r, : len(flat)] = flat, True
        row[r, 1:] = mask.sum(1).cumsum(0)
    return Pattern(row, (place % inputs).int(), place, real, (outputs, inputs))


def take_parameters(module: nn.Module, plain: nn.Module) -> None:
    """Gives a module the slots of the one whose place it takes; what lies in them may be no `nn.Parameter`."""
    module._parameters.update(plain._parameters)
    module._buffers.update(plain._buffers)


class StackedLinear(nn.Module):
    """`nn.Linear` on [R, ..., I] with weights [R, O, I], or [R, M] where it has a pattern, and biases [R, O]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        take_parameters(self, plain)
        self.pattern: Pattern | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The outputs [R, ..., O]; features first in memory."""
        columns = features_first(x)
        if self.pattern is not None:
            y = sparse_product(self.weight, columns, self.pattern)
        else:
            y = torch.bmm(self.weight, columns)
        if self.bias is not None:
            y = y + self.bias.unsqueeze(2)
        return split_axis(y.transpose(1, 2), 1, x.shape[1:-1]) if x.ndim > 2 else y.squeeze(2)


def split_axis(x: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    """`x` with one axis written as several; a view for any strides."""
    return cast(Tensor, x.unflatten(axis, tuple(sizes)))  # type: ignore[no-untyped-call]


def sparse_product(value: Tensor, x: Tensor, at: Pattern) -> Tensor:
    """W x of weights [R, M] in a pattern, x [R, I, B]."""
    return cast(Tensor, SparseProduct.apply(value, x, at))  # type: ignore[no-untyped-call]


def features_first(x: Tensor) -> Tensor:
    """[R, ..., I] as [R, I, B]."""
    return x.flatten(1, -2).transpose(1, 2) if x.ndim > 2 else x.unsqueeze(2)


class SparseProduct(torch.autograd.Function):
    """W x with weights [R, M] in a pattern, x [R, I, B]: the loops of one network, member by member."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, x: Tensor, at: Pattern) -> Tensor:
        """The outputs [R, O, B]."""
        x = x.contiguous()
        y, bias = torch.empty(len(value), at.shape[0], x.shape[2]), np.zeros(at.shape[0], np.float32)
        for *where, weights, inputs, outputs in zip(*at.arrays, *map(array, (value, x, y)), strict=True):
            mlp_kernels.spread(*where, weights, bias, inputs, outputs, False)
        ctx.at = at
        ctx.save_for_backward(value, x)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of weights and inputs; that of a weight that is not there is never made."""
        value, x = ctx.saved_tensors
        at, g, gw = ctx.at, array(grads[0]), torch.zeros_like(value)
        bias, step = np.zeros(at.shape[0], np.float32), (np.float32(0), np.float32(-1))
        for *where, slopes, inputs, weights in zip(*at.arrays, g, array(x), array(gw), strict=True):
            mlp_kernels.descend(*where, slopes, inputs, weights, bias, *step)
        if not ctx.needs_input_grad[1]:
            return gw, None, None
        gx = torch.zeros_like(x)
        for *where, weights, slopes, inputs in zip(*at.arrays, array(value), g, array(gx), strict=True):
            mlp_kernels.scatter(*where, weights, slopes, inputs)
        return gw, gx, None


def array(tensor: Tensor) -> NDArray[Any]:
    """The numpy view of a CPU tensor without a graph, contiguous."""
    view: NDArray[Any] = tensor.detach().contiguous().numpy()
    return view
