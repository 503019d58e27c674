"""How many weights a network has and keeps: what networks of different widths are compared by."""

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


class WeightCount(Measure):
    """Counts, float64 0-D.

    weights: entries of all prunable tensors. kept: those that are not removed. parameters: all that train.
    """

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        counts = {
            "weights": tree.size(weights.masks),
            "kept": tree.kept(weights.masks),
            "parameters": tree.size(weights.params),
        }
        return {name: torch.tensor(float(count), dtype=torch.float64) for name, count in counts.items()}
