"""Where the zeros are, what weights a network has and keeps, how many, and what share went with removed units."""

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.sparsity.unit_count import parameters_gone
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


class UnitsGone(Measure):
    """Percent of all parameters that removed units take along: float64 0-D.

    own: their weights, biases, gammas and betas.
    structural: what the physically smaller network lacks.

    The papers' percentages are of one kind or the other without saying which.

    Source: Bartoldson et al. 2020, section 2 and appendix C.
    """

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Two shares by name. Raises UsageError where the network's units cannot be found."""
        counts = parameters_gone(weights, problem.model.structure.units.values())
        shares = {"own": counts.own / counts.total, "structural": counts.structural / counts.total}
        return {name: torch.tensor(100 * share, dtype=torch.float64) for name, share in shares.items()}


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


class WeightVector(Measure):
    """All maskable weights as one vector, 0 where removed; stored whole, so meant for small networks."""

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor: "weights", float32 [sum of sizes], layer by layer in the order of names."""
        return {"weights": torch.cat([weights.params[name].flatten() for name in sorted(weights.masks)])}
