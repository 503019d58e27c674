"""Gaussian noise on whole units for a while."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import Units
from prunescope.training.interventions.intervention import Context
from prunescope.training.interventions.on_units import UnitIntervention, taken_units
from prunescope.training.interventions.zero_units import windows


class NoiseUnits(UnitIntervention):
    """Adds N(0, s^2) to the weights of the units that `PruneUnits` would take, before each of `batches` batches.

    s is the standard deviation of the weights of the layer's first unit that was never taken, at that moment. The noise
    stays in the weights, so it accumulates. A unit is taken once only. Removed and held weights stay at 0.

    target: the end of the ranking that is taken.
    batches: number of training batches with noise from each event on.
    test_batches: 0 adds noise before training batches only. T, the number of batches of a test pass, gives the weights
        that training batches see the law of the authors' code, which adds noise before test batches too: T + 1 draws
        before the first batch after an event, and 2 T + 1 before the first of every later epoch (a pass before and
        after the pruning step). With batches=1 there is one draw for any T: the authors add noise once, in a test
        batch.

    t_post includes all draws at the onset, as in the weights that the next training batch sees. After later epochs of
    a window, accuracy precedes the draws that follow. The authors' test passes add their draws one by one. For one
    batch both are the same.

    Source: Bartoldson et al. 2020, section 3.3, Figure 5 bottom (1, 50, 1105 batches) and section 2 ("a larger
    variance on the first batch of a new epoch"), which is test_batches = 79.
    Differs from the source: 50 and 1105 are counted in training batches; the authors' counters for them, 129 and
    1500 forward passes of either kind, have one draw more, before the batch that comes next (a <= for a <), without
    which their counter for 1, which is 0, would add no noise.
    """

    version: ClassVar[int] = 2
    target: Target = "largest"
    batches: int = Field(ge=1)
    test_batches: int = Field(default=0, ge=0)

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every step before which noise is added. Raises UsageError when noise would not end within the run."""
        spans = [span for schedule in self.layers for span in windows(schedule, clock, self.batches)]
        return tuple(sorted({step for start, end in spans for step in range(start, end)}))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with noisy units."""
        for schedule, kept in self.due(context):
            units = context.structure.at(schedule.layer)
            state, new = self.take(state, context, units, kept)
            memory = state.memory[context.key] | {f"new/{units.layer}": new}
            state = state.replace(memory=state.memory | {context.key: memory})
        for schedule in self.layers:
            for start, end in windows(schedule, context.clock, self.batches):
                if start <= context.local < end:
                    draws = self.draws(context.clock, start, context.local)
                    state = _noisy(state, context, context.structure.at(schedule.layer), draws)
        return state

    def draws(self, clock: Clock, start: int, step: int) -> int:
        """The number of draws right before the training batch at `step`, in the window that begins at `start`."""
        if self.batches == 1:
            return 1
        if step == start:
            return self.test_batches + 1
        return 2 * self.test_batches + 1 if step % clock.epoch_steps == 0 else 1


def _noisy(state: TrainState, context: Context, units: Units, draws: int) -> TrainState:
    memory, params = state.memory[context.key], dict(state.weights.params)
    free = ~taken_units(state.weights, memory, units)
    first = torch.arange(len(free), device=free.device) == free.int().argmax()
    generator = context.stream("noise", units.layer)
    for part in units.weights:
        weight = params[part.name]
        untouched: Tensor = weight[part.spread(first, weight)]
        draw = torch.randn(weight.shape, generator=generator, device=generator.device).to(weight)
        where = part.spread(memory[f"new/{units.layer}"], weight) & state.free[part.name]
        params[part.name] = weight + draws**0.5 * untouched.std() * draw * where
    return state.replace(weights=state.weights.replace(params=params))
