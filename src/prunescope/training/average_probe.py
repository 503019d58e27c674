"""Accuracy of the averaged weights while a run trains."""

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.tasks.task import Problem
from prunescope.training.interventions.use_average import averaged_params
from prunescope.training.probes import Probe, SplitName, accuracy_row, periodic


class AverageCurve(Probe):
    """Loss (nats) and error (fraction) of the average that the optimizer `Averaged` keeps.

    split: the split that is evaluated.
    every: the period; the end of the run is observed too.
    """

    split: SplitName = "test"
    every: Duration = "1ep"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The end of each period, and the end of the run."""
        return periodic(clock, self.every)

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """Columns loss, error, sparsity. Raises UsageError where no average is kept."""
        weights = state.weights.replace(params=averaged_params(state))
        return accuracy_row(problem, weights, problem.split(self.split))
