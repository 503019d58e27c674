"""Numbers."""

from typing import ClassVar

import torch
from torch import Tensor

from prunescope.tasks.targets.target import Target


class Regression(Target):
    """D numbers an example: y floating, [N] or [N, D]; outputs [N, D], or [N] for one number.

    The error of an example is the mean absolute difference over its D numbers, in the unit of y.
    """

    loss: ClassVar[str] = "prunescope.tasks.losses:mean_squared_error"
    unit: ClassVar[str] = "unit of y"
    fixed: ClassVar[bool] = True
    takes: ClassVar[str] = "finite floating numbers, [N] or [N, D], as y.float() makes them of whole ones"

    def permits(self, y: Tensor) -> bool:
        """Finite floating numbers, a row an example."""
        return y.ndim in (1, 2) and y.is_floating_point() and y.numel() > 0 and bool(torch.isfinite(y).all())

    def count(self, *parts: Tensor) -> int:
        """The number of columns."""
        return parts[0][0].numel()

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """As many outputs as numbers."""
        one = ((), (1,))
        if outputs == y or (outputs in one and y in one):
            return None
        return f"Regression() needs {y.numel()} outputs an example, one for each number of y"

    def prediction(self, outputs: Tensor) -> Tensor:
        """The outputs themselves, float32 [N, D]."""
        return outputs.reshape(len(outputs), -1)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """The mean absolute difference."""
        return (prediction.double() - y.reshape(prediction.shape)).abs().mean(1)
