"""A network's outputs on a whole split, in evaluation mode.

Belongs here: the one pass over a split that probes and measures share. Does not belong here: what is made of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.tasks.task import Problem, Split

BATCH = 1000
"""Examples a pass; part of the numbers only through rounding."""


@dataclass(frozen=True)
class Evaluation:
    """Per-example results on a split: loss float32 [N], nats; prediction int64 [N]; labels used, int64 [N]."""

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
    """Logits [N, C] of every example of a split, float32, without augmentation, running statistics in use."""
    parts = [
        problem.model.apply(weights.params, weights.buffers, x, train=False)[0].float()
        for x, _ in split.batches(BATCH)
    ]
    return torch.cat(parts)


@torch.no_grad()
def evaluate(problem: Problem, weights: Weights, split: Split) -> Evaluation:
    """Per-example loss and prediction of every example of a split, against the labels used."""
    scores = logits(problem, weights, split)
    return Evaluation(problem.loss(scores, split.y), scores.argmax(1), split.y)
