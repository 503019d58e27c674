"""Derivatives of the loss and of the outputs, for what happens between steps."""

from collections.abc import Iterable

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import Tree, leaves_of, slope
from prunescope.tasks.task import Problem
from prunescope.tasks.twice import explained, twice_differentiable

Batch = tuple[Tensor, Tensor, int]
"""Inputs [B, ...], labels int64 [B], and the seed of the network's own draws."""


@torch.enable_grad()
def gradient(problem: Problem, weights: Weights, batches: Iterable[Batch], *, temperature: float = 1.0) -> Tree:
    """The gradient of the mean loss over all examples of the batches, for every parameter, nats per unit of weight.

    The network is in training mode, so normalization uses the statistics of each batch; the buffers do not change.

    temperature: divisor of the logits.
    """
    leaves = leaves_of(weights.params)
    total, count = tree.tree_map(torch.zeros_like, weights.params), 0
    for batch in batches:
        loss = _summed_loss(problem, leaves, weights.buffers, batch, temperature)
        total = tree.tree_map(torch.add, total, slope(loss, leaves))
        count += len(batch[1])
    return tree.tree_map(lambda leaf: leaf / count, total)


@torch.enable_grad()
def hessian_product(
    problem: Problem, weights: Weights, along: Tree, batches: Iterable[Batch], *, temperature: float = 1.0
) -> Tree:
    """The Hessian of the mean loss of `gradient` times `along`, restricted to the parameters that `along` names."""
    leaves = leaves_of(weights.params)
    selected = {name: leaves[name] for name in along}
    total, count = tree.tree_map(torch.zeros_like, along), 0
    for batch in batches:
        with explained(problem.model), twice_differentiable():
            loss = _summed_loss(problem, leaves, weights.buffers, batch, temperature)
            first = slope(loss, selected, differentiable=True)
            total = tree.tree_map(torch.add, total, slope(tree.dot(first, along), selected))
        count += len(batch[1])
    return tree.tree_map(lambda leaf: leaf / count, total)


@torch.enable_grad()
def output_gradient(problem: Problem, weights: Weights) -> Tree:
    """The gradient of the sum of all logits for one input of ones, in evaluation mode and the dtype of the weights."""
    leaves = leaves_of(weights.params)
    like = next(iter(leaves.values()))
    ones = torch.ones(1, *problem.train.inputs.shape, dtype=like.dtype, device=like.device)
    logits, _ = problem.model.apply(leaves, weights.buffers, ones, train=False)
    return slope(logits.sum(), leaves)


def _summed_loss(problem: Problem, params: Tree, buffers: Tree, batch: Batch, temperature: float) -> Tensor:
    x, y, draw = batch
    logits, _ = problem.model.apply(params, buffers, x, train=True, draw=draw)
    return problem.loss(logits / temperature, y).sum()
