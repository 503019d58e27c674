"""How far the weights have moved."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, Values
from prunescope.tasks.task import Problem


class WeightVector(Measure):
    """All maskable weights as one vector, 0 where removed; stored whole, so meant for small networks."""

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor: "weights", float32 [sum of sizes], layer by layer in the order of names."""
        return {"weights": torch.cat([weights.params[name].flatten() for name in sorted(weights.masks)])}


def displacement(readings: Sequence[Values]) -> dict[str, float]:
    """The distance from one state to another, for `Combined`: |w_1 - w_0|, and relative to |w_0|.

    readings: two of `WeightVector`, the earlier state first (after pruning at initialization, say).
    Returns: distance, in units of weight, and relative, dimensionless: far above 1 where features are learned.
    Raises: UsageError for readings that do not compare, and where the earlier weights are all 0.
    """
    if len(readings) != 2 or readings[0]["weights"].shape != readings[1]["weights"].shape:
        shapes = ", ".join(str(reading["weights"].shape) for reading in readings)
        raise UsageError(f"displacement needs two readings of one network, got shapes {shapes or 'none'}")
    before, after = (reading["weights"].astype(np.float64) for reading in readings)
    distance, length = float(np.linalg.norm(after - before)), float(np.linalg.norm(before))
    if length == 0:
        raise UsageError("the earlier weights are all 0, so the relative displacement has no meaning")
    return {"distance": distance, "relative": distance / length}
