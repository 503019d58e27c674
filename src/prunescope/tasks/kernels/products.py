"""Products with a matrix of which few weights are kept, and their gradients.

Belongs here: the pattern of a mask, and products over it in two makings: own loops, and torch's. Does not belong
here: modules (`modules.py`), which layers use them (`tailored.py`).

Examples are columns: X [in, B], Y [out, B], both contiguous float32 on a CPU.
"""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from prunescope.tasks.kernels.choice import Sparse
from prunescope.tasks.kernels.codes import Codes
from prunescope.tasks.kernels.sparse_code import BLOCKS, Given, code, given


@dataclass(frozen=True)
class Rows:
    """Kept weights row by row: those of row o are ptr[o] <= k < ptr[o + 1], at columns col[k]; int32 both."""

    ptr: Tensor
    col: Tensor


@dataclass(frozen=True)
class Pattern:
    """Where a matrix [out, in] has weights.

    index: int64 [nnz], their places in the flat matrix, in order. rows: by output. columns: by input, with `order`
    int32 [nnz], the number of each weight in `index`. live: int32, the inputs that have weights.
    """

    shape: tuple[int, int]
    index: Tensor
    rows: Rows
    columns: Rows
    order: Tensor
    live: Tensor
    making: Sparse

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


def pattern_of(mask: Tensor, making: Sparse) -> Pattern:
    """The pattern of a mask, bool [out, in]; that of a mask seen before is not made again."""
    found: Pattern | None = _KNOWN[mask] if mask in _KNOWN else None  # noqa: SIM401
    if found is None or found.making != making:
        found = _KNOWN[mask] = _pattern_of(mask, making)
    return found


def _pattern_of(mask: Tensor, making: Sparse) -> Pattern:
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
        making=making,
    )


def _rows(mask: Tensor) -> Rows:
    ptr = torch.zeros(len(mask) + 1, dtype=torch.int32)
    ptr[1:] = mask.sum(1).cumsum(0)
    return Rows(ptr, mask.nonzero()[:, 1].to(torch.int32).contiguous())


def forward(pattern: Pattern, values: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """W X + bias, [out, B]; values: the weights [nnz]."""
    return _product(pattern.making, pattern.rows, pattern.shape, values, x, bias)


def input_gradient(pattern: Pattern, values: Tensor, g: Tensor) -> Tensor:
    """W^T G, [in, B]."""
    turned = pattern.shape[1], pattern.shape[0]
    return _product(pattern.making, pattern.columns, turned, values.index_select(0, pattern.order), g, None)


def weight_gradient(pattern: Pattern, g: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """(G X^T)[kept], [nnz], and the sum of G over examples, [out]."""
    rows = pattern.rows
    if pattern.making == "torch":
        zero = _csr(rows, pattern.shape, torch.zeros(pattern.weights))
        return torch.sparse.sampled_addmm(zero, g, x.t()).values(), g.sum(1)
    slope, bias = torch.empty(pattern.weights), torch.empty(len(g))
    place = addresses(rows.ptr, rows.col, g, x, slope, bias)
    for name, numbers in given("sampled", len(g), x.shape[1], *place):
        code()[name](*numbers)
    return slope, bias


@dataclass(frozen=True)
class Columns:
    """Examples that are read as columns, into memory that is used again.

    examples: contiguous float32 [N, in], or the same as bytes. live: int32, the inputs that are read; the others may be
    anything. into: float32 [in, B].
    """

    examples: Tensor | Codes
    live: Tensor
    into: Tensor

    def sources(self, rows: Tensor) -> Tensor:
        """Addresses of the examples `rows`, int64 both, any shape."""
        data = self._data
        return rows * (len(self.into) * data.element_size()) + data.data_ptr()

    def calls(self, sources: int) -> list[Given]:
        """What reads the examples whose addresses lie at an address."""
        numbers = (
            self.examples.numbers if isinstance(self.examples, Codes) else self.into
        )  # not looked at there
        live, name = self.live, "decoded" if isinstance(self.examples, Codes) else "columns"
        place = (live.data_ptr(), sources, *addresses(numbers, self.into))
        return given(name, len(live), self.into.shape[1], *place, blocks=BLOCKS[-1:])

    def read(self, rows: Tensor) -> Tensor:
        """`into`, with the examples `rows`, int64 [B], in its columns."""
        sources = self.sources(rows)
        for name, numbers in self.calls(sources.data_ptr()):
            code()[name](*numbers)
        return self.into

    @property
    def _data(self) -> Tensor:
        return self.examples.codes if isinstance(self.examples, Codes) else self.examples


def _product(
    making: Sparse, rows: Rows, shape: tuple[int, int], values: Tensor, x: Tensor, bias: Tensor | None
) -> Tensor:
    if making == "torch":
        y = torch.mm(_csr(rows, shape, values), x)
        return y if bias is None else y.add_(bias.unsqueeze(1))
    y = torch.empty(shape[0], x.shape[1])
    onto = torch.zeros(shape[0]) if bias is None else bias
    place = addresses(rows.ptr, rows.col, values, x, y, onto)
    for name, numbers in given("spread", shape[0], x.shape[1], *place):
        code()[name](*numbers)
    return y


def addresses(*tensors: Tensor) -> list[int]:
    """Where tensors lie in memory; they have to be kept as long as that is used."""
    return [tensor.data_ptr() for tensor in tensors]


def _csr(rows: Rows, shape: tuple[int, int], values: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(rows.ptr, rows.col, values, shape, check_invariants=False)
