"""Several bits an example."""

from typing import ClassVar

import torch
from torch import Tensor

from prunescope.tasks.targets.target import Target, is_bits


class MultiLabel(Target):
    """Several bits an example: y of 0 and 1, [N, C]; outputs are a logit for each, [N, C].

    The error of an example is the share of its C bits that are wrong (Hamming loss).
    """

    loss: ClassVar[str] = "prunescope.tasks.losses:mean_binary_cross_entropy"
    squashed: ClassVar[str] = "Sigmoid"
    fixed: ClassVar[bool] = True
    takes: ClassVar[str] = "0 or 1 for each label of each example, [N, C]"

    def permits(self, y: Tensor) -> bool:
        """Zeros and ones, a row an example."""
        return y.ndim == 2 and y.shape[1] > 0 and is_bits(y)

    def count(self, *parts: Tensor) -> int:
        """The number of columns."""
        return parts[0].shape[1]

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """As many outputs as bits."""
        return None if outputs == y else f"MultiLabel() needs a logit for each of the {y[0]} labels of y"

    def prediction(self, outputs: Tensor) -> Tensor:
        """Whether each logit is positive, int64 [N, C]."""
        return (outputs > 0).to(torch.int64)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """The share of wrong bits."""
        return (prediction != y).double().mean(1)
