"""What share of a network's parameters went with its units."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.sparsity.unit_count import parameters_gone
from prunescope.tasks.task import Problem


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
