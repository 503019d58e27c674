"""One layer of a multi-layer perceptron, forward and back, in memory that is used again.

Examples are columns. A layer is a linear one with the ReLU behind it, unless it is the last.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunescope.tasks.kernels import mlp_kernels, products
from prunescope.tasks.kernels.products import Pattern

Masks = tuple[Tensor | None, Tensor | None]
"""The float masks of a weight and a bias, None where all is kept."""


@dataclass(frozen=True)
class Descent:
    """A step that is w <- shrinkage * w - lr * gradient for every kept number by itself."""

    lr: float
    shrinkage: float


class DenseLayer:
    """A layer with its memory: all weights, by torch's products.

    h: outputs [out, B] after the ReLU.
    g: gradient of the loss for the outputs before the ReLU, [out, B].
    slopes: where `gradients` writes those of the weight and, if there is one, of the bias.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, examples: int, *, last: bool, keep: Masks) -> None:
        """Weight [out, in], bias [out]: read anew in every pass."""
        self.weight, self.last = weight.detach(), last
        self.bias = None if bias is None else bias.detach().unsqueeze(1)
        self.ones = torch.ones(examples, 1)
        self.keep = [_kept(mask) for mask in keep]
        self.h, self.g = (torch.empty(len(weight), examples) for _ in range(2))
        self.slopes: tuple[Tensor, ...] = (torch.empty_like(self.weight),)
        if bias is not None:
            self.slopes = (*self.slopes, torch.empty(len(weight)))

    def forward(self, x: Tensor) -> Tensor:
        """H, of inputs [in, B]."""
        if self.bias is None:
            torch.mm(self.weight, x, out=self.h)
        else:
            torch.addmm(self.bias, self.weight, x, out=self.h)
        return self.h if self.last else self.h.relu_()

    def back(self, x: Tensor, g: Tensor) -> None:
        """Writes the gradient for what the ReLU before it, whose outputs are `x`, was given into `g` [in, B]."""
        torch.mm(self.weight.t(), self.g, out=g)
        mlp_kernels.close(_flat(x), _flat(g))

    def gradients(self, x: Tensor) -> None:
        """Writes the gradients that follow from the same inputs and `g`."""
        torch.mm(self.g, x.t(), out=self.slopes[0])
        if self.bias is not None:
            torch.sum(self.g, 1, out=self.slopes[1])

    def descend(self, x: Tensor, descent: Descent) -> None:
        """Takes the step along the same gradients, within the product that would make them; after `back`."""
        rate = {"beta": descent.shrinkage, "alpha": -descent.lr}
        self.weight.addmm_(self.g, x.t(), **rate)
        if self.bias is not None:
            self.bias.addmm_(self.g, self.ones, **rate)
        for keep, leaf in zip(self.keep, (self.weight, self.bias), strict=True):
            if leaf is not None and len(keep):
                mlp_kernels.clear(keep, _flat(leaf))


class SparseLayer:
    """The same with kept weights only, by own loops."""

    def __init__(
        self, pattern: Pattern, values: Tensor, bias: Tensor | None, examples: int, *, last: bool, keep: Masks
    ) -> None:
        """Values [nnz], bias [out]: read anew in every pass."""
        out = pattern.shape[0]
        self.pattern, self.values, self.last = pattern, values.detach(), last
        self.bias = torch.zeros(out) if bias is None else bias.detach()
        # A bias that is not there is moved with the others and taken back to 0.
        self.keep = _kept(keep[0]), np.zeros(out, np.bool_) if bias is None else _kept(keep[1])
        self.h, self.g = (torch.empty(out, examples) for _ in range(2))
        self._slopes = torch.empty(pattern.weights), torch.empty(out)
        # Views are made once: a step is as short as making them anew for every loop.
        self._values, self._bias, self._h, self._g = (leaf.numpy() for leaf in (self.values, self.bias, self.h, self.g))
        self._down = *pattern.columns.arrays, products.unsigned(pattern.order)
        self.slopes: tuple[Tensor, ...] = self._slopes[: 1 if bias is None else 2]

    def forward(self, x: Tensor) -> Tensor:
        """See `DenseLayer.forward`."""
        across = self.pattern.rows.arrays
        mlp_kernels.spread(*across, self._values, self._bias, x.numpy(), self._h, not self.last)
        return self.h

    def back(self, x: Tensor, g: Tensor) -> None:
        """See `DenseLayer.back`."""
        mlp_kernels.gated(*self._down, self._values, self._g, x.numpy(), g.numpy())

    def gradients(self, x: Tensor) -> None:
        """See `DenseLayer.gradients`."""
        for slope in self._slopes:
            slope.zero_()
        products.descend(self.pattern, self.g, x, *self._slopes, shrinkage=0.0, lr=-1.0)

    def descend(self, x: Tensor, descent: Descent) -> None:
        """See `DenseLayer.descend`."""
        step = np.float32(descent.shrinkage), np.float32(descent.lr)
        across = self.pattern.rows.arrays
        mlp_kernels.descend(*across, self._g, x.numpy(), self._values, self._bias, *step)
        for keep, leaf in zip(self.keep, (self._values, self._bias), strict=True):
            if len(keep):
                mlp_kernels.clear(keep, leaf)


Layer = DenseLayer | SparseLayer


def _kept(mask: Tensor | None) -> NDArray[np.bool_]:
    """A byte a number, so that a mask does not drive the weights out of the cache; empty where all is kept."""
    return np.empty(0, np.bool_) if mask is None else mask.reshape(-1).numpy() != 0


def _flat(leaf: Tensor) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = leaf.view(-1).numpy()
    return flat
