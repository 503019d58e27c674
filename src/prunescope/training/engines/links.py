"""One layer of a chain, forward and back, in memory that is used again.

Belongs here: a linear layer with the ReLU behind it, dense and sparse. Does not belong here: their sequence
(`chain.py`).

h: outputs [out, B] after the ReLU. g: gradient of the loss for the outputs before it, [out, B].
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from prunescope.tasks.kernels.products import Pattern, addresses
from prunescope.tasks.kernels.sparse_code import BLOCKS, Given, code, given
from prunescope.tasks.kernels.writer import LANES

Ready = list[tuple[Callable[..., None], tuple[int, ...]]]


@dataclass(frozen=True)
class Descent:
    """A step that is w <- shrinkage * w - lr * gradient for every kept number by itself."""

    lr: float
    shrinkage: float


Call = Given | Callable[[Descent], object]
"""An own loop with what it is given, or a function of the step that is being taken."""


class Link(Protocol):
    """A layer with its memory.

    forward_calls, back_calls and descend_calls say what `forward`, `back` and `descend` do, for a series of steps on
    the same memory; step: address of a step's shrinkage and learning rate, float32.
    """

    h: Tensor
    g: Tensor
    found: tuple[Tensor, ...]
    """Where `slopes` writes the gradients of the weight and, if there is one, of the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """H, of inputs [in, B]."""

    def slopes(self, x: Tensor) -> None:
        """Writes the gradients that follow from the same inputs and `g`."""

    def back(self, x: Tensor, g: Tensor) -> None:
        """Writes the gradient for what the ReLU before it, whose outputs are `x`, was given into `g` [in, B]."""

    def descend(self, x: Tensor, descent: Descent) -> None:
        """Takes the step along the gradients that `slopes` would write, without a pass over them; after `back`."""

    def forward_calls(self, x: Tensor) -> Sequence[Call]: ...  # noqa: D102
    def back_calls(self, x: Tensor, g: Tensor) -> Sequence[Call]: ...  # noqa: D102
    def descend_calls(self, x: Tensor, step: int) -> Sequence[Call]: ...  # noqa: D102


class DenseLink:
    """All weights, by torch's products."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        examples: int,
        *,
        last: bool,
        keep: tuple[Tensor | None, ...],
    ) -> None:
        """Weight [out, in], bias [out]: read anew in every pass. last: no ReLU comes behind it.

        keep: the float masks of both, None where all is kept.
        """
        self.weight, self.last = weight, last
        self.bias = None if bias is None else bias.detach().unsqueeze(1)
        self.ones = torch.ones(examples, 1)
        self.gone = _gone((weight, self.bias), keep)
        self._clear = _ready(_cleared(self.gone))
        self.h, self.g = (torch.empty(len(weight), examples) for _ in range(2))
        self.slope, self.bias_slope = torch.empty_like(weight, requires_grad=False), torch.empty(len(weight))
        self.found: tuple[Tensor, ...] = (self.slope,) if bias is None else (self.slope, self.bias_slope)

    def forward(self, x: Tensor) -> Tensor:
        """See `Link.forward`."""
        if self.bias is None:
            torch.mm(self.weight, x, out=self.h)
        else:
            torch.addmm(self.bias, self.weight, x, out=self.h)
        return self.h if self.last else self.h.relu_()

    def slopes(self, x: Tensor) -> None:
        """See `Link.slopes`."""
        torch.mm(self.g, x.t(), out=self.slope)
        if self.bias is not None:
            torch.sum(self.g, 1, out=self.bias_slope)

    def back(self, x: Tensor, g: Tensor) -> None:
        """See `Link.back`."""
        torch.mm(self.weight.t(), self.g, out=g)
        _call(_ready(_closed(x, g)))

    def descend(self, x: Tensor, descent: Descent) -> None:
        """See `Link.descend`: the product adds to the weights."""
        self._descend(x.t(), descent)
        _call(self._clear)

    def _descend(self, examples: Tensor, descent: Descent) -> None:
        rate = {"beta": descent.shrinkage, "alpha": -descent.lr}
        self.weight.addmm_(self.g, examples, **rate)
        if self.bias is not None:
            self.bias.addmm_(self.g, self.ones, **rate)

    def forward_calls(self, x: Tensor) -> Sequence[Call]:
        """See `Link`."""
        return [lambda _: self.forward(x)]

    def back_calls(self, x: Tensor, g: Tensor) -> Sequence[Call]:
        """See `Link`."""
        turned = self.weight.t()
        return [lambda _: torch.mm(turned, self.g, out=g), *_closed(x, g)]

    def descend_calls(self, x: Tensor, step: int) -> Sequence[Call]:
        """See `Link`."""
        examples = x.t()
        return [lambda descent: self._descend(examples, descent), *_cleared(self.gone)]


class SparseLink:
    """Kept weights only, by own loops, whose arguments are made once."""

    def __init__(
        self,
        pattern: Pattern,
        values: Tensor,
        bias: Tensor | None,
        examples: int,
        *,
        last: bool,
        keep: tuple[Tensor | None, ...],
    ) -> None:
        """Values [nnz], bias [out]: read anew in every pass. last: no ReLU comes behind it. keep: as of `DenseLink`."""
        out = pattern.shape[0]
        self.pattern, self.values, self.examples = pattern, values, examples
        self.biased, self.bias = bias is not None, torch.zeros(out) if bias is None else bias.detach()
        self.step, self._descent = torch.empty(2), Descent(math.nan, math.nan)
        self.gone = _gone((values, self.bias if self.biased else None), keep)
        self.h, self.g = (torch.empty(out, examples) for _ in range(2))
        self.slope, self.bias_slope = torch.empty(pattern.weights), torch.zeros(out)
        self.found: tuple[Tensor, ...] = (self.slope, self.bias_slope) if self.biased else (self.slope,)
        self.kind = "spread" if last else "rectified"
        self._bound: tuple[int, int] = (0, 0)
        self._forward: Ready = []
        self._slopes: Ready = []
        self._descend: Ready = []
        self._back: Ready = []

    def forward(self, x: Tensor) -> Tensor:
        """See `Link.forward`."""
        self._x = x = x.contiguous()
        if x.data_ptr() != self._bound[0]:
            self._forward, self._slopes = _ready(self.forward_calls(x)), _ready(self.slope_calls(x))
            self._descend = _ready(self.descend_calls(x, self.step.data_ptr()))
            self._bound = x.data_ptr(), 0
        _call(self._forward)
        return self.h

    def slopes(self, x: Tensor) -> None:
        """See `Link.slopes`; `x` must be what `forward` was given."""
        _call(self._slopes)

    def back(self, x: Tensor, g: Tensor) -> None:
        """See `Link.back`; `x` must be what `forward` was given."""
        if g.data_ptr() != self._bound[1]:
            self._back, self._bound = _ready(self.back_calls(x, g)), (self._bound[0], g.data_ptr())
        _call(self._back)

    def descend(self, x: Tensor, descent: Descent) -> None:
        """See `Link.descend`; `x` must be what `forward` was given."""
        if descent != self._descent:
            self._descent = descent
            self.step[0], self.step[1] = descent.shrinkage, descent.lr
        _call(self._descend)

    def forward_calls(self, x: Tensor) -> list[Given]:
        """See `Link`; `x` must be contiguous."""
        rows = self.pattern.rows
        return self._given(self.kind, *addresses(rows.ptr, rows.col, self.values, x, self.h, self.bias))

    def slope_calls(self, x: Tensor) -> list[Given]:
        """What `slopes` does."""
        rows = self.pattern.rows
        return self._given("sampled", *addresses(rows.ptr, rows.col, self.g, x, self.slope, self.bias_slope))

    def back_calls(self, x: Tensor, g: Tensor) -> list[Given]:
        """See `Link`."""
        rows, order = self.pattern.columns, self.pattern.order
        place = addresses(rows.ptr, rows.col, self.values, order, self.g, x, g)
        return given("gated", len(g), self.examples, *place)

    def descend_calls(self, x: Tensor, step: int) -> list[Given]:
        """See `Link`."""
        rows, bias = self.pattern.rows, self.bias if self.biased else self.bias_slope
        place = addresses(rows.ptr, rows.col, self.g, x, self.values, bias)
        return self._given("descended", *place, step) + _cleared(self.gone)

    def _given(self, name: str, *place: int) -> list[Given]:
        return given(name, len(self.h), self.examples, *place)


def _ready(calls: list[Given]) -> Ready:
    return [(code()[name], numbers) for name, numbers in calls]


def _call(calls: Ready) -> None:
    for call, numbers in calls:
        call(*numbers)


def _gone(leaves: Sequence[Tensor | None], keep: Sequence[Tensor | None]) -> list[tuple[Tensor, Tensor]]:
    """Leaves that have a mask, and a bit for each of their numbers, set where it is removed."""
    found = []
    for leaf, mask in zip(leaves, keep, strict=True):
        if leaf is not None and mask is not None:
            bits = np.packbits(mask.reshape(-1).numpy() == 0, bitorder="little")
            found.append((leaf, torch.from_numpy(np.pad(bits, (0, -len(bits) % (LANES // 8))))))
    return found


def _closed(x: Tensor, g: Tensor) -> list[Given]:
    return given("closed", 1, g.numel(), *addresses(x, g), blocks=BLOCKS[-1:])


def _cleared(gone: list[tuple[Tensor, Tensor]]) -> list[Given]:
    return [
        call
        for leaf, bits in gone
        for call in given("cleared", 1, leaf.numel(), *addresses(bits, leaf), blocks=BLOCKS[-1:])
    ]
