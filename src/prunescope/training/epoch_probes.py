"""Accuracy after every epoch, before and after the events at that position."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.tasks.recalibration import recalibrated
from prunescope.tasks.task import Problem, Split
from prunescope.training.probes import Probe, SplitName, accuracy_row, periodic

Limit = Annotated[int, Field(ge=1)] | Literal["all"]
"""The number of examples of a split that are evaluated, from its start, or all of them."""


class EpochAccuracy(Probe):
    """Loss (nats) and error (fraction) after every epoch, and before and after every onset at any position.

    split: the split that is evaluated.
    limit: number of its examples that are evaluated.
    every: the period.

    The rows of phases "step" and "before" are t_pre, and those of phase "after" are t_post; an epoch without an onset
    has only the former. BatchNorm statistics are the running ones, also right after pruning.

    Source: Bartoldson et al. 2020, the authors' code: test accuracy before and after the pruning step of each epoch.
    """

    around_onsets: ClassVar[bool] = True
    split: SplitName = "test"
    limit: Limit = "all"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The end of each period, and the end of the run."""
        return periodic(clock, self.every)

    def examples(self, *, train: int, test: int) -> int:
        """The size of the split, or the limit."""
        size = train if self.split == "train" else test
        return size if self.limit == "all" else min(self.limit, size)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        return accuracy_row(problem, state.weights, first_examples(problem.split(self.split), self.limit))


class RecalibratedAccuracy(Probe):
    """Loss and error just before and just after onsets, with BatchNorm statistics estimated anew for each row.

    split: the split that is evaluated.
    limit: number of its examples that are evaluated.
    batches: number of training batches for the estimate, which does not enter the run.
    batch: examples in each of them.

    It separates the accuracy that is lost with features from that which is lost by outdated statistics.
    """

    around_onsets: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    split: SplitName = "test"
    limit: Limit = "all"
    batches: int = Field(default=20, ge=1)
    batch: int = Field(default=128, ge=2)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        buffers = recalibrated(problem, state.weights, batches=self.batches, batch=self.batch)
        split = first_examples(problem.split(self.split), self.limit)
        return accuracy_row(problem, state.weights.replace(buffers=buffers), split)


def first_examples(split: Split, limit: int | str) -> Split:
    """The first `limit` examples of a split, or all of them."""
    if limit == "all" or int(limit) >= len(split):
        return split
    return split.at(torch.arange(int(limit), device=split.y.device))
