"""The weights themselves, to say how far they have moved."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


class WeightVector(Measure):
    """All maskable weights as one vector, 0 where removed; stored whole, so meant for small networks."""

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor: "weights", float32 [sum of sizes], layer by layer in the order of names."""
        return {"weights": torch.cat([weights.params[name].flatten() for name in sorted(weights.masks)])}
