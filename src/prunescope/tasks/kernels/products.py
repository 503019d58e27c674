"""Products with a matrix of which few weights are kept, and their gradients.

Belongs here: the pattern of a mask, products over it by own loops, and the layer that computes by them. Does not belong
here: which layers are exchanged for it (`specialized.py`), the loops (`mlp_kernels.py`).

Examples are columns: X [in, B], Y [out, B], both contiguous float32 on a CPU.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.weak import WeakTensorKeyDictionary

from prunescope.tasks.kernels import mlp_kernels

Index = NDArray[np.uint32]


@dataclass(frozen=True)
class Rows:
    """Kept weights row by row: those of row o are ptr[o] <= k < ptr[o + 1], at columns col[k]; int32 both."""

    ptr: Tensor
    col: Tensor

    @cached_property
    def arrays(self) -> tuple[Index, Index]:
        """Both as loops take them."""
        return unsigned(self.ptr), unsigned(self.col)


@dataclass(frozen=True)
class Pattern:
    """Where a matrix [out, in] has weights.

    index: int64 [nnz], their places in the flat matrix, in order.
    rows: the weights by output.
    columns: the weights by input.
    order: int32 [nnz], the number in `index` of each weight of `columns`.
    live: int32, the inputs that have weights.
    """

    shape: tuple[int, int]
    index: Tensor
    rows: Rows
    columns: Rows
    order: Tensor
    live: Tensor

    @property
    def weights(self) -> int:
        """How many weights are kept."""
        return len(self.index)

    def leaves_out(self, full: Tensor) -> bool:
        """Whether a matrix [out, in] has entries other than 0 elsewhere."""
        return int(full.count_nonzero()) > int(self.pack(full).count_nonzero())

    def pack(self, full: Tensor) -> Tensor:
        """The kept entries [nnz] of a matrix [out, in]."""
        return full.reshape(-1).index_select(0, self.index)

    def unpack(self, values: Tensor, onto: Tensor | None = None) -> Tensor:
        """The matrix [out, in] of the kept entries [nnz]; the others are those of `onto`, or 0."""
        flat = values.new_zeros(self.shape).view(-1) if onto is None else onto.clone().view(-1)
        return flat.index_copy_(0, self.index, values).view(self.shape)


_KNOWN: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def pattern_of(mask: Tensor) -> Pattern:
    """The pattern of a mask, bool [out, in]; that of a mask seen before is not made again."""
    if mask not in _KNOWN:
        _KNOWN[mask] = _pattern_of(mask)
    pattern: Pattern = _KNOWN[mask]
    return pattern


def _pattern_of(mask: Tensor) -> Pattern:
    flat = mask.reshape(-1)
    number = (flat.cumsum(0, dtype=torch.int64) - 1).view(mask.shape)
    across = mask.t()
    order = number.t()[across].to(torch.int32)
    return Pattern(
        shape=(mask.shape[0], mask.shape[1]),
        index=flat.nonzero().view(-1),
        rows=_rows(mask),
        columns=_rows(across),
        order=order,
        live=mask.any(0).nonzero().view(-1).to(torch.int32),
    )


def _rows(mask: Tensor) -> Rows:
    ptr = torch.zeros(len(mask) + 1, dtype=torch.int32)
    ptr[1:] = mask.sum(1).cumsum(0)
    return Rows(ptr, mask.nonzero()[:, 1].to(torch.int32).contiguous())


def forward(pattern: Pattern, values: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """W X + bias, [out, B]; values: the weights [nnz]."""
    return _product(pattern.rows, pattern.shape, values, x, bias)


def input_gradient(pattern: Pattern, values: Tensor, g: Tensor) -> Tensor:
    """W^T G, [in, B]."""
    transposed = pattern.shape[1], pattern.shape[0]
    return _product(pattern.columns, transposed, values.index_select(0, pattern.order), g, None)


def weight_gradient(pattern: Pattern, g: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """(G X^T)[kept], [nnz], and the sum of G over examples, [out]."""
    slope, bias = torch.zeros(pattern.weights), torch.zeros(len(g))
    descend(pattern, g, x, slope, bias, shrinkage=0.0, lr=-1.0)
    return slope, bias


def descend(
    pattern: Pattern, g: Tensor, x: Tensor, values: Tensor, bias: Tensor, *, shrinkage: float, lr: float
) -> None:
    """W <- shrinkage W - lr G X^T where weights are, and likewise the bias, in place, by own loops."""
    arrays = (part.numpy() for part in (g, x, values, bias))
    mlp_kernels.descend(*pattern.rows.arrays, *arrays, np.float32(shrinkage), np.float32(lr))


@dataclass(frozen=True)
class Columns:
    """Examples that are read as columns, into memory that is used again.

    examples: contiguous float32 [N, in].
    live: int32, the inputs that are read; the others may be anything.
    into: float32 [in, B].
    """

    examples: Tensor
    live: Tensor
    into: Tensor

    def read(self, rows: Tensor) -> Tensor:
        """`into`, with the examples `rows`, int64 [B], in its columns."""
        mlp_kernels.gather(rows.numpy().view(np.uint64), self.examples.numpy(), unsigned(self.live), self.into.numpy())
        return self.into


def unsigned(index: Tensor) -> Index:
    """An int32 tensor as loops take it, in the same memory."""
    array: Index = index.numpy().view(np.uint32)
    return array


def _product(rows: Rows, shape: tuple[int, int], values: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    y = torch.empty(shape[0], x.shape[1])
    onto = torch.zeros(shape[0]) if bias is None else bias.detach()
    arrays = (part.numpy() for part in (values.detach(), onto, x, y))
    mlp_kernels.spread(*rows.arrays, *arrays, False)
    return y


class SparseLinear(nn.Module):
    """X W^T + b over the weights that are kept, to rounding as `nn.Linear`; `weight` holds their values only, [nnz].

    Outputs are views of memory in which examples are columns; what works element by element keeps it so, and the next
    layer gets it without a copy.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, pattern: Pattern) -> None:
        super().__init__()
        self.pattern = pattern
        # Tensors become its parameters whatever they are: those of a module in use are no `nn.Parameter`.
        tensors = {"weight": pattern.pack(layer.weight.detach()), "bias": layer.bias}
        self._parameters.update(tensors)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [..., out] of inputs [..., in]."""
        # Transposed here: what a function of one's own returns as a view may not be changed in place (inplace=True).
        y: Tensor = _Sparse.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]), self.weight, self.bias, self.pattern
        ).t()
        return y.reshape(*x.shape[:-1], y.shape[-1])


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, pattern: Pattern) -> Tensor:
        columns = x.t().contiguous()
        ctx.save_for_backward(columns, values)
        ctx.pattern, ctx.biased = pattern, bias is not None
        return forward(pattern, values, columns, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        columns, values = ctx.saved_tensors
        g = gradient.contiguous()
        slope, bias = weight_gradient(ctx.pattern, g, columns)
        inputs = None
        if ctx.needs_input_grad[0]:
            inputs = input_gradient(ctx.pattern, values, g).t()
        return inputs, slope, bias if ctx.biased else None, None
