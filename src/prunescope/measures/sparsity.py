"""Where the zeros are."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


class LayerSparsity(Measure):
    """Shares of removed weights, float64 0-D.

    sparsity: over all maskable weights.
    NAME: of each maskable tensor.
    """

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        layers = {name: 1 - mask.double().mean() for name, mask in weights.masks.items()}
        return {"sparsity": torch.tensor(weights.sparsity, dtype=torch.float64), **layers}
