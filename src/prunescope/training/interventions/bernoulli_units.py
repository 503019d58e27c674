"""Multiplicative Bernoulli noise on whole units, of which pruning is the limit."""

import torch
from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.select import Target
from prunescope.training.interventions.intervention import Context
from prunescope.training.interventions.on_units import UnitIntervention, hide, show, taken_units


class BernoulliUnits(UnitIntervention):
    """Multiplies each unit that `PruneUnits` would remove by a Bernoulli(keep) variable, drawn anew every batch.

    From its event to the end of the run, each such unit is at 0 in a batch with probability 1 - keep, gets no gradient
    there, and has its values back in the next batch that keeps it. keep = 0 is `PruneUnits` without masks, with the
    same bits in all values that are not removed. After the last batch the last draw stays.

    target: the end of the ranking that is taken.
    keep: the probability.
    normalization_follows: as for `PruneUnits`.

    Source: Bartoldson et al. 2020, section 2: pruning multiplies the targeted weights by Bernoulli(p) with p = 0, and
    p > 0 would be DropConnect.
    Differs from the source: they write of weights; here a unit has one draw. They ran p = 0 only.
    """

    target: Target = "largest"
    keep: float = Field(ge=0, lt=1)
    normalization_follows: bool = True

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every step from the first event of the schedules on; if keep is 0, their events only."""
        scheduled = super().events(clock)
        if self.keep == 0:
            return scheduled
        return tuple(sorted({*scheduled, *range(scheduled[0], clock.total)}))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state under a new draw."""
        key = context.key
        layers = [context.structure.at(schedule.layer) for schedule in self.layers]
        for units in layers:
            state = show(state, key, units)
        for schedule, kept in self.due(context):
            state, _ = self.take(state, context, context.structure.at(schedule.layer), kept)
        for units in layers:
            taken = taken_units(state.weights, state.memory[key], units)
            if not bool(taken.any()):
                continue
            generator = context.stream("keep", units.layer)
            draws = torch.rand(units.count, generator=generator, device=generator.device).to(taken.device)
            dropped = taken & (draws >= self.keep)
            follows = self.normalization_follows
            dying = units.dying(normalization_follows=follows)
            state = hide(state, key, units, dropped, normalization_follows=follows, save=dying)
        return state
