"""Observers that run while a network trains.

They record what a stored state cannot tell; all else is a measure. A probe is not part of the id of a run, because it
cannot change the run; a missing trace is made by training the run again.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.overrides import unchanged
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock, Duration
from prunescope.base.streams import seeded
from prunescope.base.value import Value
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.recalibration import recalibrated
from prunescope.tasks.task import Problem, Split
from prunescope.training.interventions.values import averaged_params

Phase = Literal["step", "before", "after"]
SplitName = Literal["train", "validation", "test"]
Limit = Annotated[int, Field(ge=1)] | Literal["all"]
"""The number of examples of a split that are evaluated, from its start, or all of them."""


class Probe(Value):
    """Observes states of a run, which it does not change, and writes rows of numbers.

    around_events: whether it also observes the state just before and just after the events of a step.
    around_onsets: whether it does so at onsets only, where something new is done; not where noise continues or ends.
        The row "before" is left out where the probe observes anyway; that row has the phase "step".
    trains: whether it applies the network in training mode. The network then draws from the generators of the
        process, so such a probe never observes while training continues in the background.
    """

    around_events: ClassVar[bool] = False
    around_onsets: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """Positions, counted from the run's start, at which the probe observes; clock.total is the run's length.

        If clock.total is among them, the probe also observes the end of a run that its stop rule ends early.
        """
        return ()

    def examples(self, *, train: int, test: int) -> int:
        """The cost of one row: the number of examples that pass through the network, given the sizes of the splits.

        By default those of its field `split`, the test set without one, at most as many as its field `limit` says.
        """
        size, limit = train if getattr(self, "split", "test") == "train" else test, getattr(self, "limit", "all")
        return min(limit, size) if isinstance(limit, int) else size

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """One row. running_loss: mean loss of the batches since the last epoch began, nats (0 at the start)."""
        raise NotImplementedError

    def row(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """`observe`; what a user wrote sees a copy of the weights, and is looked at.

        Raises UsageError where it returns anything but numbers or texts by name.
        """
        if is_shipped(self):
            return self.observe(problem, state, running_loss)
        with seeded(state.step), unchanged(self):
            found: Any = self.observe(problem, state.replace(weights=state.weights.apart()), running_loss)
        if not isinstance(found, Mapping):
            raise UsageError(
                f"{type(self).__name__}.observe returned a {type(found).__name__}; it must return numbers by name"
            )
        shown = {name: _plain(value) for name, value in found.items()}
        if odd := [name for name, value in shown.items() if value is None]:
            raise UsageError(
                f"{type(self).__name__}.observe returned {odd[0]!r}, which is no number; it must return numbers by name"
            )
        return shown


def _plain(value: Any) -> Any:
    """A number or a text as Python has them; None for anything else."""
    value = value.item() if getattr(value, "shape", None) == () else value
    return value if isinstance(value, str | int | float) else None


class _Periodic(Probe):
    """A probe at the end of each period, and at the end of the run."""

    split: SplitName = "test"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The end of each period, and the end of the run."""
        steps = max(1, clock.steps(self.every))
        return (*range(steps, clock.total, steps), clock.total)


class Curve(_Periodic):
    """Loss (nats) and error (fraction) on a split, with the running training loss.

    split: the split that is evaluated.
    every: the period; the end of the run is observed too.
    """

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, running_loss, sparsity."""
        row = accuracy_row(problem, state.weights, problem.split(self.split))
        return {name: row.get(name, running_loss) for name in ("loss", "error", "running_loss", "sparsity")}


class AverageCurve(_Periodic):
    """Loss (nats) and error (fraction) of the average that the optimizer `Averaged` keeps.

    split: the split that is evaluated.
    every: the period; the end of the run is observed too.
    """

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity. Raises UsageError where no average is kept."""
        weights = state.weights.replace(params=averaged_params(state))
        return accuracy_row(problem, weights, problem.split(self.split))


class AroundEvents(Probe):
    """Loss and error on a split just before and just after the events of each step that has some."""

    around_events: ClassVar[bool] = True
    split: SplitName = "test"

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        return accuracy_row(problem, state.weights, problem.split(self.split))


class EpochAccuracy(_Periodic):
    """Loss (nats) and error (fraction) after every epoch, and before and after every onset at any position.

    split: the split that is evaluated.
    limit: number of its examples that are evaluated.
    every: the period.

    The rows of phases "step" and "before" are t_pre, and those of phase "after" are t_post; an epoch without an onset
    has only the former. BatchNorm statistics are the running ones, also right after pruning.

    Source: Bartoldson et al. 2020, the authors' code: test accuracy before and after the pruning step of each epoch.
    """

    around_onsets: ClassVar[bool] = True
    limit: Limit = "all"

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


def accuracy_row(problem: Problem, weights: Weights, split: Split) -> dict[str, float]:
    """Columns loss (nats), error (fraction), sparsity."""
    evaluation = evaluate(problem, weights, split)
    return {"loss": evaluation.risk, "error": evaluation.error, "sparsity": weights.sparsity}


def first_examples(split: Split, limit: int | str) -> Split:
    """The first `limit` examples of a split, or all of them."""
    if limit == "all" or int(limit) >= len(split):
        return split
    return split.at(torch.arange(int(limit), device=split.y.device))
