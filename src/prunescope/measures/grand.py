"""GraNd: the norm of the gradient of every single example's loss.

Belongs here: the score under one state. Does not belong here: the mean over networks (`combine.mean`), gradients of
mean losses (`training/derivatives.py`).
"""

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.task import Problem

GRADIENT_NUMBERS = 2**25
"""Numbers of per-example gradients held at once (128 MiB); part of the values only through rounding."""


class GraNd(Measure):
    """The gradient norm ||d loss(x, y) / d w||_2 of every example, over all parameters that are kept.

    grand: float32 [N], nats per unit of weight; evaluation mode, so that examples do not mix in normalization, and
    no augmentation. The published score is the mean over several networks.

    Source: Paul et al. 2021, definition 1.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        size = max(1, GRADIENT_NUMBERS // tree.size(weights.params))
        batches = problem.split(self.split).batches(size)
        return {"grand": torch.cat([_norms(problem, weights, x, y) for x, y in batches])}


def _norms(problem: Problem, weights: Weights, x: Tensor, y: Tensor) -> Tensor:
    """Gradient norms [B] of inputs x [B, ...] with labels y [B]."""

    def loss(params: Tree, example: Tensor, label: Tensor) -> Tensor:
        scores, _ = problem.model.apply(params, weights.buffers, example.unsqueeze(0), train=False)
        return problem.loss(scores, label.unsqueeze(0)).squeeze(0)

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(dict(weights.params), x, y)
    squares = [leaf.flatten(1).square().sum(1) for leaf in tree.masked(gradients, weights.masks).values()]
    return torch.stack(squares).sum(0).sqrt()
