"""Observers that run while a network trains.

They record what a stored state cannot tell; all else is a measure. A probe is not part of the id of a run, because it
cannot change the run; a missing trace is made by training the run again.
"""

from typing import ClassVar, Literal

from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock, Duration
from prunescope.base.value import Value
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem, Split

Phase = Literal["step", "before", "after"]
SplitName = Literal["train", "validation", "test"]


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
        """The cost of one row: the number of examples that pass through the network, given the sizes of the splits."""
        return test

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """One row. running_loss: mean training loss since the last epoch began, nats (0 at the start)."""
        raise NotImplementedError


class Curve(Probe):
    """Loss (nats) and error (fraction) on a split, with the running training loss.

    split: the split that is evaluated.
    every: the period; the end of the run is observed too.
    """

    split: SplitName = "test"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The end of each period, and the end of the run."""
        return periodic(clock, self.every)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, running_loss, sparsity."""
        row = accuracy_row(problem, state.weights, problem.split(self.split))
        return {
            "loss": row["loss"],
            "error": row["error"],
            "running_loss": running_loss,
            "sparsity": row["sparsity"],
        }


class AroundEvents(Probe):
    """Loss and error on a split just before and just after the events of each step that has some."""

    around_events: ClassVar[bool] = True
    split: SplitName = "test"

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        return accuracy_row(problem, state.weights, problem.split(self.split))


def periodic(clock: Clock, period: Duration) -> tuple[int, ...]:
    """The positions at the end of each period, and at the end of the run."""
    steps = max(1, clock.steps(period))
    return (*range(steps, clock.total, steps), clock.total)


def accuracy_row(problem: Problem, weights: Weights, split: Split) -> dict[str, float]:
    """Columns loss (nats), error (fraction), sparsity."""
    evaluation = evaluate(problem, weights, split)
    return {"loss": evaluation.risk, "error": evaluation.error, "sparsity": weights.sparsity}
