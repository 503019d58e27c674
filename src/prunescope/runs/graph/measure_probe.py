"""A measure as a probe: any measure of a stored state, taken while a network trains."""

from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.measures.measure import Measure, plain
from prunescope.tasks.task import Problem
from prunescope.training.probes import Probe


class Watch(Probe):
    """The numbers of a measure at logarithmically spaced steps: at the start, `per_decade` times a decade, at the end.

    measure: of its values, those that are no single number are left out.
    per_decade: how often between a step and ten times that step.
    """

    measure: Measure
    per_decade: int = Field(default=10, ge=1)

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """0, the distinct rounded powers 10^(k / per_decade), and the end."""
        powers, k = {0, clock.total}, 0
        while (step := round(10 ** (k / self.per_decade))) < clock.total:
            powers.add(step)
            k += 1
        return tuple(sorted(powers))

    def observe(self, problem: Problem, state: TrainState, running_loss: float) -> dict[str, float]:
        """The measure's numbers, by its own names."""
        values = plain(self.measure.measure(problem, state.weights), type(self.measure).__name__)
        return {name: float(value) for name, value in values.items() if value.ndim == 0}
