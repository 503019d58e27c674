"""The limit: the matrix products of LeNet-300-100, and nothing else."""

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

WIDTHS = (784, 300, 100, 10)
TRIES = 20
TINY = 1e-9
"""A factor of which products take no notice, as they would of 0."""


class Products:
    """The products of one batch size, into memory that is there already.

    Training takes 8: forward 3, weight gradient 3, input gradient 2 (the images need none). kind: "rows" multiplies
    examples by weights, "columns" the other way round, "merged" adds weight gradients to the
    weights, so that less memory is touched, "onednn" uses oneDNN; by default what is fastest here.
    """

    def __init__(self, batch: int, kind: str | None = None) -> None:
        """Random operands in the layouts that training uses."""
        self.kind = kind or _fastest(batch)
        turned = self.kind in ("columns", "merged")
        self.x = [_operand(batch, width, turned) for width in WIDTHS[:-1]]
        self.y = [_operand(batch, width, turned) for width in WIDTHS[1:]]
        self.weights = [torch.randn(after, before) for before, after in pairwise(WIDTHS)]
        self.slopes = [torch.empty_like(weight) for weight in self.weights]
        self.outputs = [torch.empty_like(y) for y in self.y]
        self.inputs = [torch.empty_like(x) for x in self.x]

    def forward(self) -> None:
        """The 3 products of a forward pass."""
        for x, weight, output in zip(self.x, self.weights, self.outputs, strict=True):
            if self.kind in ("columns", "merged"):
                product(weight, x, output)
            elif self.kind == "onednn":
                onednn(x, weight)
            else:
                product(x, weight.t(), output)

    def training(self) -> None:
        """The 8 products of a training step."""
        self.forward()
        for x, y, slope, weight in zip(self.x, self.y, self.slopes, self.weights, strict=True):
            if self.kind == "columns":
                product(y, x.t(), slope)
            elif self.kind == "merged":
                weight.addmm_(y, x.t(), alpha=TINY)
            elif self.kind == "onednn":
                onednn(y.t(), x.t())
            else:
                product(y.t(), x, slope)
        for y, weight, input in zip(self.y[1:], self.weights[1:], self.inputs[1:], strict=True):
            if self.kind in ("columns", "merged"):
                product(weight.t(), y, input)
            elif self.kind == "onednn":
                onednn(y, weight.t())
            else:
                product(y, weight, input)


def product(left: Tensor, right: Tensor, into: Tensor) -> None:
    """The matrix product, written into a tensor."""
    torch.mm(left, right, out=into)


def onednn(x: Tensor, weight: Tensor) -> None:
    """X W^T by oneDNN, an operator that torch keeps to itself and some processors do not gain by."""
    torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")


def _operand(batch: int, width: int, turned: bool) -> Tensor:
    return torch.randn(width, batch) if turned else torch.randn(batch, width)


def _fastest(batch: int) -> str:
    kinds = [
        "rows",
        "columns",
        "merged",
        *(["onednn"] if hasattr(torch.ops.mkldnn, "_linear_pointwise") else []),
    ]
    candidates = {kind: Products(batch, kind).training for kind in kinds}
    times = {kind: min(_seconds(work) for _ in range(TRIES)) for kind, work in candidates.items()}
    return min(times, key=times.__getitem__)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
