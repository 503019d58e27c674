"""BatchNorm statistics of given weights, estimated anew from training batches."""

from collections.abc import Iterator

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.tasks.task import Problem

STATISTICS = ("running_mean", "running_var")


@torch.no_grad()
def recalibrated(problem: Problem, weights: Weights, *, batches: int, batch: int) -> Tree:
    """The buffers with every running mean and variance replaced by its plain mean over training batches.

    The batches are the first `batches` of size `batch` of one fixed permutation of the training split, without
    augmentation. Earlier layers normalize by their batch, as in training. `weights` is not changed; without BatchNorm
    the same buffers are returned.

    Source: Izmailov et al. 2018, section 3 (bn_update); as torch.optim.swa_utils.update_bn.
    """
    names = [name for name in weights.buffers if name.rpartition(".")[2] in STATISTICS]
    if not names:
        return weights.buffers
    zeros = _filled(weights.buffers, names, 0.0)
    total = {name: torch.zeros_like(weights.buffers[name], dtype=torch.float64) for name in names}
    rate: Tree = {}
    for number, x in enumerate(_batches(problem, batches, batch)):
        _, updated = problem.model.apply(weights.params, zeros, x, train=True, draw=number)
        if not rate:
            # From zeros a statistic s moves to m s, from ones to (1 - m) + m s: together they tell the momentum m.
            ones = _filled(weights.buffers, names, 1.0)
            _, higher = problem.model.apply(weights.params, ones, x, train=True, draw=number)
            rate = {name: (1 - (higher[name] - updated[name])).double().mean() for name in names}
        for name in names:
            total[name] += updated[name].double()
    count = number + 1
    moving = [name for name in names if float(rate[name]) != 0]  # not of a layer held in evaluation mode
    means = {name: (total[name] / (count * rate[name])).to(weights.buffers[name].dtype) for name in moving}
    return {**weights.buffers, **means}


def _filled(buffers: Tree, names: list[str], value: float) -> Tree:
    """The buffers with these statistics at one value and counters at 0; gates (bool) are not changed."""
    counters = {name: torch.zeros_like(leaf) for name, leaf in buffers.items() if leaf.dtype == torch.int64}
    return {**buffers, **counters, **{name: torch.full_like(buffers[name], value) for name in names}}


def _batches(problem: Problem, batches: int, batch: int) -> Iterator[Tensor]:
    split = problem.train
    order = torch.randperm(len(split), generator=stream(0, "recalibration")).to(split.y.device)
    for rows in torch.split(order[: batches * batch], batch):
        if len(rows) > 1 or len(split) == 1:  # one example has no variance
            yield split.batch(rows)[0]
