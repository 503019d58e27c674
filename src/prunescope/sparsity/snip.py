"""SNIP: how much the loss changes when a weight is scaled down."""

from pydantic import Field

from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.scores import Context, Score


class SNIP(Score):
    """The connection sensitivity |w * g|, in nats, where g is the gradient of the mean loss.

    batches: training batches that the loss is taken over.

    Source: Lee et al. 2019, eqs. 4-5. Differs from the source: not divided by the sum over all weights, which
    changes no ranking.
    """

    batches: int = Field(default=1, ge=1)

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; nothing is drawn."""
        slope = context.gradient(weights, self.batches)
        return {name: (weights.params[name].detach() * slope[name]).abs() for name in weights.masks}
