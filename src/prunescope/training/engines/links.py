"""One layer of a chain, forward and back, in memory that is used again.

Belongs here: a linear layer with the ReLU behind it, dense and sparse. Does not belong here: their sequence
(`chain.py`).

h: outputs [out, B] after the ReLU. g: gradient of the loss for the outputs before it, [out, B].
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from prunescope.tasks.kernels.products import Pattern
from prunescope.tasks.kernels.sparse_code import code, pieces

Calls = list[tuple[Callable[..., None], tuple[int, ...]]]


class Link(Protocol):
    """A layer with its memory."""

    g: Tensor
    found: tuple[Tensor, ...]
    """Where `slopes` writes the gradients of the weight and, if there is one, of the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """H, of inputs [in, B]."""

    def slopes(self, x: Tensor) -> None:
        """Writes the gradients that follow from the same inputs and `g`."""

    def back(self, x: Tensor, g: Tensor) -> None:
        """Writes the gradient for what the ReLU before it, whose outputs are `x`, was given into `g` [in, B]."""


class DenseLink:
    """All weights, by torch's products."""

    def __init__(self, weight: Tensor, bias: Tensor | None, examples: int, *, last: bool) -> None:
        """Weight [out, in], bias [out]: read anew in every pass. last: no ReLU comes behind it."""
        self.weight, self.last = weight, last
        self.bias = None if bias is None else bias.unsqueeze(1)
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
        torch.ops.aten.threshold_backward.grad_input(g, x, 0, grad_input=g)


class SparseLink:
    """Kept weights only, by own loops, whose arguments are made once."""

    def __init__(
        self, pattern: Pattern, values: Tensor, bias: Tensor | None, examples: int, *, last: bool
    ) -> None:
        """Values [nnz], bias [out]: read anew in every pass. last: no ReLU comes behind it."""
        out = pattern.shape[0]
        self.pattern, self.values, self.examples = pattern, values, examples
        self.bias = torch.zeros(out) if bias is None else bias
        self.h, self.g = (torch.empty(out, examples) for _ in range(2))
        self.slope, self.bias_slope = torch.empty(pattern.weights), torch.empty(out)
        self.found: tuple[Tensor, ...] = (self.slope,) if bias is None else (self.slope, self.bias_slope)
        self.kind = "spread" if last else "rectified"
        self._bound: tuple[int, int] = (0, 0)
        self._forward: Calls = []
        self._slopes: Calls = []
        self._back: Calls = []

    def forward(self, x: Tensor) -> Tensor:
        """See `Link.forward`."""
        x = x.contiguous()
        if x.data_ptr() != self._bound[0]:
            self._bind(x)
        for call, arguments in self._forward:
            call(*arguments)
        self._x = x
        return self.h

    def slopes(self, x: Tensor) -> None:
        """See `Link.slopes`; `x` must be what `forward` was given."""
        for call, arguments in self._slopes:
            call(*arguments)

    def back(self, x: Tensor, g: Tensor) -> None:
        """See `Link.back`; `x` must be what `forward` was given."""
        if g.data_ptr() != self._bound[1]:
            rows = self.pattern.columns
            self._back = self._calls(
                "gated", len(g), rows.ptr, rows.col, self.values, self.pattern.order, self.g, x, g
            )
            self._bound = self._bound[0], g.data_ptr()
        for call, arguments in self._back:
            call(*arguments)

    def _bind(self, x: Tensor) -> None:
        rows, out = self.pattern.rows, self.pattern.shape[0]
        self._forward = self._calls(self.kind, out, rows.ptr, rows.col, self.values, x, self.h, self.bias)
        self._slopes = self._calls("sampled", out, rows.ptr, rows.col, self.g, x, self.slope, self.bias_slope)
        self._bound = x.data_ptr(), 0

    def _calls(self, name: str, rows: int, *tensors: Tensor) -> Calls:
        addresses = tuple(tensor.data_ptr() for tensor in tensors)
        return [
            (code()[f"{name}{block}"], (rows, self.examples, start, stop, *addresses))
            for block, start, stop in pieces(self.examples)
        ]
