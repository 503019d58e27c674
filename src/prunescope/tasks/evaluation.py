"""A network's outputs on a whole split, in evaluation mode."""

from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.tasks.kernels.specialized import specialized, unspecialized
from prunescope.tasks.task import Problem, Split

BATCH = 1000
"""Examples in a pass; it changes results by rounding only."""
SPARSE_BATCH = 256
"""Examples in a pass with packed weights, so that their columns stay in the second-level cache."""


@dataclass(frozen=True)
class Evaluation:
    """Per-example results on a split.

    loss: float32 [N], nats.
    prediction: class with the largest logit, int64 [N].
    y: labels used, int64 [N].
    """

    loss: Tensor
    prediction: Tensor
    y: Tensor

    @property
    def risk(self) -> float:
        """Mean loss, nats."""
        return float(self.loss.double().mean())

    @property
    def error(self) -> float:
        """Share of examples whose prediction differs from the label used."""
        return float((self.prediction != self.y).double().mean())


@torch.no_grad()
def logits(problem: Problem, weights: Weights, split: Split) -> Tensor:
    """Logits of every example of a split, float32 [N, C], without augmentation and with running statistics."""
    inputs, index = split.inputs, split.index
    network = specialized(
        problem.model,
        weights.params,
        weights.buffers,
        weights.masks,
        problem.kernels,
        train=False,
        probe=inputs.take(index[:2]),
    )
    if not network.takes(weights.params):
        network = unspecialized(problem.model, train=False)
    network.fill({**network.pack(weights.params), **network.pack(weights.buffers)})
    size = SPARSE_BATCH if network.patterns else BATCH
    starts = range(0, len(split), size)
    return torch.cat([network.module(network.inputs(inputs, index[start : start + size])).float() for start in starts])


@torch.no_grad()
def evaluate(problem: Problem, weights: Weights, split: Split) -> Evaluation:
    """The loss and prediction of every example of a split, against the labels used."""
    scores = logits(problem, weights, split)
    return Evaluation(problem.loss(scores, split.y), scores.argmax(1), split.y)
