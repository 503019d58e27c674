"""What accuracy is after every epoch, on both sides of what happens there."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock, Duration
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.recalibration import recalibrated
from prunescope.tasks.task import Problem, Split
from prunescope.training.probes import Probe, SplitName

Limit = Annotated[int, Field(ge=1)] | Literal["all"]
"""How many examples of a split are looked at: the first so many, or all."""


class EpochAccuracy(Probe):
    """Loss (nats) and error (fraction) after every epoch, and on both sides of every onset, wherever it is.

    limit: the first so many examples of the split. The rows of phases "step" and "before" are t_pre, those of phase
    "after" t_post; an epoch without an onset has the former only. BatchNorm statistics are the running ones, also
    right after pruning.

    Source: Bartoldson et al. 2020, the authors' code: test accuracy before and after the pruning step of each epoch.
    """

    around_onsets: ClassVar[bool] = True
    split: SplitName = "test"
    limit: Limit = "all"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """After each period, and at the end."""
        period = max(1, clock.steps(self.every))
        return (*range(period, clock.total, period), clock.total)

    def examples(self, *, train: int, test: int) -> int:
        """As many as the limit says."""
        size = train if self.split == "train" else test
        return size if self.limit == "all" else min(self.limit, size)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        return _row(problem, state.weights, first(problem.split(self.split), self.limit))


class RecalibratedAccuracy(Probe):
    """Loss and error just before and just after onsets, with BatchNorm statistics estimated anew for each look.

    batches, batch: how many training batches of which size the estimate is made from; it stays out of the run.
    Tells what of an accuracy lost to pruning are lost features, and what are statistics that no longer fit.
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
        split = first(problem.split(self.split), self.limit)
        return _row(problem, state.weights.replace(buffers=buffers), split)


def first(split: Split, limit: int | str) -> Split:
    """The first `limit` examples of a split, or all there are."""
    if limit == "all" or int(limit) >= len(split):
        return split
    return split.at(torch.arange(int(limit), device=split.y.device))


def _row(problem: Problem, weights: Weights, split: Split) -> dict[str, float]:
    seen = evaluate(problem, weights, split)
    return {"loss": seen.risk, "error": seen.error, "sparsity": weights.sparsity}
