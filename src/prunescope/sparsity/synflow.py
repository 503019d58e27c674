"""SynFlow: how much of the network's flow passes through a weight."""

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.scores import Context, Score


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
