"""GraSP: how much gradient flow a weight carries."""

from pydantic import Field

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.scores import Context, Score


class GraSP(Score):
    """w * (H g), in nats^2 per unit of weight^2: to first order, half of what |g|^2 loses when the weight is removed.

    g and H are the gradient and Hessian of the mean loss in the maskable weights that are kept.

    batches: training batches that the loss is taken over.
    temperature: divisor of the logits.

    Source: Wang et al. 2020, eq. 8 and algorithm 1 (temperature 200 as in the authors' code).
    Differs from the source: the sign is turned, so that the smallest go first (there S = -w * (H g), and the
    largest go); the batches are training batches, not a sample with equal classes.
    """

    batches: int = Field(default=1, ge=1)
    temperature: float = Field(default=200.0, gt=0)

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; nothing is drawn."""
        slope = context.gradient(weights, self.batches, temperature=self.temperature)
        along = tree.masked({name: slope[name] for name in weights.masks}, weights.masks)
        product = context.hessian_product(weights, along, self.batches, temperature=self.temperature)
        return {name: weights.params[name].detach() * product[name] for name in weights.masks}
