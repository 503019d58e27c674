"""Linear layers of a stack: dense, or with products only where weights are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from prunescope.tasks.kernels import mlp_kernels, products
from prunescope.tasks.kernels.products import Pattern


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
