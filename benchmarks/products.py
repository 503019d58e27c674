"""The limit: the matrix products of LeNet-300-100, and nothing else.

Belongs here: the products of a training step and of a test pass. Does not belong here: biases, ReLU, loss, update.
"""

from itertools import pairwise

import torch
from torch import Tensor

WIDTHS = (784, 300, 100, 10)


class Products:
    """The products of one batch size, into memory that is there already.

    Training takes 8: forward 3, weight gradient 3, input gradient 2 (the images need none).
    """

    def __init__(self, batch: int) -> None:
        """Random operands in the layouts that training uses."""
        self.x = [torch.randn(batch, width) for width in WIDTHS[:-1]]
        self.y = [torch.randn(batch, width) for width in WIDTHS[1:]]
        self.weights = [torch.randn(after, before) for before, after in pairwise(WIDTHS)]
        self.slopes = [torch.empty_like(weight) for weight in self.weights]
        self.outputs = [torch.empty_like(y) for y in self.y]
        self.inputs = [torch.empty_like(x) for x in self.x]

    def forward(self) -> None:
        """The 3 products of a forward pass."""
        for x, weight, output in zip(self.x, self.weights, self.outputs, strict=True):
            product(x, weight.t(), output)

    def training(self) -> None:
        """The 8 products of a training step."""
        self.forward()
        for x, y, slope in zip(self.x, self.y, self.slopes, strict=True):
            product(y.t(), x, slope)
        for y, weight, input in zip(self.y[1:], self.weights[1:], self.inputs[1:], strict=True):
            product(y, weight, input)


def product(left: Tensor, right: Tensor, into: Tensor) -> None:
    """The matrix product, written into a tensor."""
    torch.mm(left, right, out=into)
