"""A network's outputs on a whole split, in evaluation mode."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.tasks.kernels.specialized import specialized, unspecialized
from prunescope.tasks.task import Problem, Split

BATCH = 1000
"""Examples in a pass; it changes results by rounding only."""
OUTPUTS = 2**27
"""Numbers in the outputs of a pass where an example has many (512 MiB)."""
SPARSE_BATCH = 256
"""Examples in a pass with packed weights, so that their columns stay in the second-level cache."""


@dataclass(frozen=True)
class Evaluation:
    """Per-example results on a split.

    loss: float32 [N], nats (squared units of y for a regression).
    prediction: as the target says; of classes the one with the largest logit, int64 [N].
    y: labels used, int64 [N]; [N, ...] for other targets than classes.
    wrong: error of each example in the unit of the target, float64 [N]; of classes 0 or 1. Not a number where an
        output is none.
    """

    loss: Tensor
    prediction: Tensor
    y: Tensor
    wrong: Tensor

    @property
    def risk(self) -> float:
        """Mean loss, nats."""
        return float(self.loss.double().mean())

    @property
    def error(self) -> float:
        """Mean error; of classes the share of examples whose prediction differs from the label used."""
        return float(self.wrong.mean())


def logits(problem: Problem, weights: Weights, split: Split | str) -> Tensor:
    """Outputs of every example of a split, float32 [N, ...], without augmentation and with running statistics.

    split: one of the problem's splits, or its name: "train", "validation" or "test".
    """
    chosen = problem.split(split) if isinstance(split, str) else split
    return torch.cat(list(_passes(problem, weights, chosen)))


@torch.no_grad()
def _passes(problem: Problem, weights: Weights, split: Split) -> Iterator[Tensor]:
    """The outputs of some examples after the other."""
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
    if split.y.ndim > 1:  # an example may have an output for every token and every word
        one = network.module(network.inputs(inputs, index[:1])).numel()
        size = max(1, min(size, OUTPUTS // max(1, one)))
    for start in range(0, len(split), size):
        yield network.module(network.inputs(inputs, index[start : start + size])).float()
        problem.beat()


@torch.no_grad()
def evaluate(problem: Problem, weights: Weights, split: Split) -> Evaluation:
    """The loss, prediction and error of every example of a split, against the labels used.

    Raises UsageError if the outputs do not fit the target.
    """
    target, passes = problem.target, _passes(problem, weights, split)
    loss, parts, start = target.evaluated(problem.loss), [], 0
    # Outputs for tokens are not held all at once.
    for outputs in passes if split.y.ndim > 1 else [torch.cat(list(passes))]:
        y = split.y[start : start + len(outputs)]
        target.require_fit(outputs, y, problem.classes)
        prediction = target.prediction(outputs)
        # What is not a number is largest in no place, though torch names one.
        lost = outputs.isnan().unsqueeze(-1).flatten(1).any(1)
        parts.append((loss(outputs, y), prediction, target.error(prediction, y).masked_fill(lost, torch.nan)))
        start += len(outputs)
    losses, predictions, errors = (torch.cat(part) for part in zip(*parts, strict=True))
    return Evaluation(losses, predictions, target.plain(split.y), errors)
