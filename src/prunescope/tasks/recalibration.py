"""What normalizations keep beside weights, estimated anew for given ones: running statistics and singular vectors."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.tasks.task import Problem

STATISTICS = ("running_mean", "running_var")
SINGULAR = ("_u", "_v")
"""Buffers of spectral normalization: the first singular vectors of a weight."""
ITERATIONS = 30


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
    zeros = _filled(weights.buffers, dict.fromkeys(names, 0.0))
    total = {name: torch.zeros_like(weights.buffers[name], dtype=torch.float64) for name in names}
    rate: Tree = {}
    with _cumulative(problem.model.template(train=True)):
        for number, x in enumerate(_batches(problem, batches, batch)):
            _, updated = problem.model.apply(weights.params, zeros, x, train=True, draw=number)
            if not rate:
                # From 0 a statistic s moves to m s, from c to (1 - m) c + m s: together they tell the momentum m.
                # c is as large as m s: of a smaller one rounding would leave little.
                begin = {name: 1 + float(updated[name].abs().max()) for name in names}
                _, higher = problem.model.apply(
                    weights.params, _filled(weights.buffers, begin), x, train=True, draw=number
                )
                rate = {name: (1 - (higher[name] - updated[name]).double() / begin[name]).mean() for name in names}
            for name in names:
                total[name] += updated[name].double()
    count = number + 1
    moving = [name for name in names if float(rate[name]) != 0]  # not of a layer held in evaluation mode
    means = {name: (total[name] / (count * rate[name])).to(weights.buffers[name].dtype) for name in moving}
    return {**weights.buffers, **means}


@torch.no_grad()
def with_singular_vectors(problem: Problem, weights: Weights) -> Weights:
    """The state with the singular vectors of its weights for spectral normalization, by power iteration from its own.

    They are what training passes make of them: 30, in each of which PyTorch takes one iteration by default.
    """
    names = [name for name in weights.buffers if name.rpartition(".")[2] in SINGULAR]
    x, _ = problem.train.batch(torch.arange(min(2, len(problem.train)), device=problem.train.y.device))
    for _ in range(ITERATIONS if names else 0):
        _, after = problem.model.apply(weights.params, weights.buffers, x, train=True)
        weights = weights.replace(buffers=weights.buffers | {name: after[name] for name in names})
    return weights


@contextmanager
def _cumulative(module: nn.Module) -> Iterator[None]:
    """BatchNorm averages what it sees in a pass for the block, which is more than one batch where it is shared."""
    layers = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    momenta = {part: part.momentum for part in layers if type(part).forward is _BatchNorm.forward}
    try:
        for part in momenta:
            part.momentum = None
        yield
    finally:
        for part, momentum in momenta.items():
            part.momentum = momentum


def _filled(buffers: Tree, values: dict[str, float]) -> Tree:
    """The buffers with these statistics at one value each, and the counters beside them at 0."""
    owners = {name.rpartition(".")[0] for name in values}
    counters = (name for name in buffers.keys() - values.keys() if name.rpartition(".")[0] in owners)
    begin = {name: 0.0 for name in counters if buffers[name].dtype == torch.int64} | values
    return {**buffers, **{name: torch.full_like(buffers[name], at) for name, at in begin.items()}}


def _batches(problem: Problem, batches: int, batch: int) -> Iterator[Tensor]:
    split = problem.train
    order = torch.randperm(len(split), generator=stream(0, "recalibration")).to(split.y.device)
    for rows in torch.split(order[: batches * batch], batch):
        if len(rows) > 1 or len(split) == 1:  # one example has no variance
            yield split.batch(rows)[0]
