"""One bit an example, by one logit."""

from typing import ClassVar

import torch
from torch import Tensor

from prunescope.tasks.targets.target import Target, is_bits


class Binary(Target):
    """One bit an example: y of 0 and 1, [N] or [N, 1]; outputs are one logit, [N, 1] or [N], of y = 1.

    y keeps the shape and kind of number it was given in, because a loss of one's own may need them.
    """

    loss: ClassVar[str] = "prunescope.tasks.losses:binary_cross_entropy"
    squashed: ClassVar[str] = "Sigmoid"
    decides: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    fixed: ClassVar[bool] = True
    takes: ClassVar[str] = "0 or 1 for each example, [N] or [N, 1]"

    def permits(self, y: Tensor) -> bool:
        """Zeros and ones, one an example."""
        return y.shape[1:] in ((), (1,)) and is_bits(y)

    def count(self, *parts: Tensor) -> int:
        """Two."""
        return 2

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """One logit an example."""
        return None if outputs in ((), (1,)) else "Binary() needs one logit, [N, 1] or [N]; for two give Classes()"

    def prediction(self, outputs: Tensor) -> Tensor:
        """Whether the logit is positive, int64 [N]."""
        return (outputs.reshape(len(outputs)) > 0).to(torch.int64)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """1 where the prediction is not y."""
        return (prediction != self.labels(y)).double()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probabilities of 0 and of 1, [N, 2]."""
        one = outputs.reshape(-1, 1).sigmoid()
        return torch.cat([1 - one, one], dim=1)
