"""Observers that run while a network trains.

A probe is outside the id of a run, because it cannot change it; a trace that is missing is made by replaying.
"""

from typing import ClassVar, Literal

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.base.value import Value
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem

Phase = Literal["step", "before", "after"]
SplitName = Literal["train", "validation", "test"]


class Probe(Value):
    """Looks at states of a run and writes rows of numbers; leaves the state alone."""

    around_events: ClassVar[bool] = False
    """Whether it also looks just before and just after the events of every step that has some."""
    around_onsets: ClassVar[bool] = False
    """Whether it does so at onsets only: where something new is done, not where noise goes on or ends.

    A look "before" is left out at positions where it looks anyway: that row is of phase "step"."""
    trains: ClassVar[bool] = False
    """Whether it applies the network as it is applied in training. What that draws comes from generators that belong to
    the whole process, so such a probe never looks while training goes on."""

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """Positions, counted from the run's start, at which to look; clock.total is the run's length.

        A run that its stop rule ends early is looked at there too, if clock.total is among them.
        """
        return ()

    def examples(self, *, train: int, test: int) -> int:
        """How many examples one look passes through the network, of splits of these sizes: what it costs."""
        return test

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """One row. running_loss: mean training loss since the last epoch began, nats (0 at the start)."""
        raise NotImplementedError


class Curve(Probe):
    """Loss (nats) and error (fraction) on a split, every `every` and at the end, with the running training loss."""

    split: SplitName = "test"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """After each period, and at the end."""
        period = max(1, clock.steps(self.every))
        return (*range(period, clock.total, period), clock.total)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, running_loss, sparsity."""
        seen = evaluate(problem, state.weights, problem.split(self.split))
        return {
            "loss": seen.risk,
            "error": seen.error,
            "running_loss": running_loss,
            "sparsity": state.weights.sparsity,
        }


class AroundEvents(Probe):
    """Loss and error on a split just before and just after the events of each step that has some."""

    around_events: ClassVar[bool] = True
    split: SplitName = "test"

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity."""
        seen = evaluate(problem, state.weights, problem.split(self.split))
        return {"loss": seen.risk, "error": seen.error, "sparsity": state.weights.sparsity}
