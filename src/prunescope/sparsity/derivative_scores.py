"""Scores by derivatives: SNIP, GraSP, SynFlow."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base import tree
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


class SynFlow(Score):
    """|w| * dR/d|w|, where R is the sum of the logits for an input of ones once all tensors are positive; no data.

    All parameters and statistics enter by their absolute values. The network runs in evaluation mode and in float64,
    because R grows with the product of all layers. Without biases, the scores of each layer of a chain sum to R.

    Source: Tanaka et al. 2020, eq. 3 and algorithm 1, which prunes in 100 rounds: see `PruneRounds`.
    """

    def scores(self, weights: Weights, context: Context) -> Tree:
        """See `Score.scores`; nothing is drawn. float64, 0 for removed weights."""
        kept = tree.masked(weights.params, weights.masks)
        positive = weights.replace(
            params=tree.tree_map(_positive, kept), buffers=tree.tree_map(_positive, weights.buffers)
        )
        slope = context.output_gradient(positive)
        return {name: positive.params[name] * slope[name] for name in weights.masks}


def _positive(leaf: Tensor) -> Tensor:
    """|leaf| in float64; counts stay counts."""
    return leaf.detach().to(torch.float64).abs() if leaf.is_floating_point() else leaf
