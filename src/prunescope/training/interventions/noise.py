"""Gaussian noise on weights."""

import torch
from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.training.interventions.intervention import Context, ScheduledIntervention


class Noise(ScheduledIntervention):
    """Adds N(0, s^2) to every kept maskable weight before each of `length` steps, from each event on.

    s = std * (the standard deviation of the kept weights of the same tensor), so that one number suits every
    layer. Removed and held weights stay at 0. The state of the optimizer does not change.

    std: the noise relative to the weights, dimensionless.
    length: duration of the noise from each event on.
    """

    std: float = Field(gt=0)
    length: Duration = "1it"

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every step before which noise is added. Raises UsageError for noise that would outlast the run."""
        spans = self.when.spans(clock, length=self.length)
        return tuple(sorted({k for start, end in spans for k in range(start, end)}))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with noisy weights."""
        generator = context.stream("noise")
        params = dict(state.weights.params)
        for name, free in sorted(state.free.items()):
            weight = params[name]
            draw = torch.randn(weight.shape, generator=generator).to(weight)
            scale = self.std * weight[free].std() if int(free.sum()) > 1 else weight.new_zeros(())
            params[name] = weight + scale * draw * free
        return state.replace(weights=state.weights.replace(params=params))
