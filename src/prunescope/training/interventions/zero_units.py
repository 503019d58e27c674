"""Temporary zeroing of whole units."""

from typing import Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.select import Target
from prunescope.training.interventions.intervention import Context
from prunescope.training.interventions.layer_schedule import LayerSchedule
from prunescope.training.interventions.on_units import UnitIntervention, hide, show, taken_units


class ZeroUnits(UnitIntervention):
    """Holds the units that `PruneUnits` would remove at 0 for `batches` training batches from each event on.

    So many forward passes see them at 0, and the next one does not. A unit is taken once only. Optimizer state does not
    change.

    target: the end of the ranking that is taken.
    batches: number of training batches at 0.
    which: the units that are hidden: those taken at this event ("new"), or all taken so far ("all").
    reentry: whether units return from 0, by the update of the last of these batches ("zero"), or with the values and
        running statistics that they had ("saved").
    normalization_follows: as for `PruneUnits`. The gate of a unit that returns from 0 opens with that last batch.

    Source: Bartoldson et al. 2020, section 3.3 and Figure 5 (which="new", "zero"); Figure D2 ("all", "saved",
    normalization_follows). 1, 50 and 1105 batches in Figure 5; 89, 630, 1220 and 2480 in D2.
    Differs from the source: the authors count test batches too, and zero in them. With 79 test batches and two passes
    an epoch, their counters 0, 129 and 1500 are 1, 50 and 1105 training batches, which are the numbers of the paper
    and those counted here (their <= adds one more, except to the first). Between events a test sees the units at 0,
    there and here. They zero before every batch and update in between, so that optimizer state sees gradients of the
    units in every batch; here it sees that of the last batch only.
    """

    target: Target = "largest"
    batches: int = Field(ge=1)
    which: Literal["new", "all"] = "new"
    reentry: Literal["zero", "saved"] = "zero"
    normalization_follows: bool = False

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every zeroing and every release. Raises UsageError when one would not end within the run."""
        pairs = [pair for schedule in self.layers for pair in self._pairs(schedule, clock)]
        return tuple(sorted({step for pair in pairs for step in pair}))

    def _pairs(self, schedule: LayerSchedule, clock: Clock) -> list[tuple[int, int]]:
        """The steps of each zeroing and release. Before a return from 0 the last batch already updates the units."""
        early = int(self.reentry == "zero")
        return [(start, end - early) for start, end in windows(schedule, clock, self.batches)]

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state after the releases, and then the zeroings, that are due."""
        pairs = {schedule: self._pairs(schedule, context.clock) for schedule in self.layers}
        for schedule in self.layers:
            if any(context.local == end for _, end in pairs[schedule]):
                state = show(state, context.key, context.structure.at(schedule.layer))
        for schedule, kept in self.due(context):
            units = context.structure.at(schedule.layer)
            state, new = self.take(state, context, units, kept)
            dying = units.dying(normalization_follows=self.normalization_follows)
            state = hide(
                state,
                context.key,
                units,
                new if self.which == "new" else taken_units(state.weights, state.memory[context.key], units),
                normalization_follows=self.normalization_follows,
                save=(*dying, *units.statistics) if self.reentry == "saved" else (),
            )
            if (context.local, context.local) in pairs[schedule]:
                state = show(state, context.key, units)
        return state


def windows(schedule: LayerSchedule, clock: Clock, batches: int) -> list[tuple[int, int]]:
    """The first step with noise, and the first one without, for each event of a layer.

    Raises UsageError when the noise outlasts the training, or the time to the layer's next event.
    """
    starts = schedule.steps(clock)
    for start, limit in zip(starts, [*starts[1:], clock.total], strict=True):
        if start + batches > limit:
            end = "the end of training" if limit == clock.total else f"the next event of {schedule.layer}"
            raise UsageError(
                f"batches={batches} from step {start} on outlast {end}, at step {limit}; use at most "
                f"{limit - start} batches, or move the events of {schedule.layer}"
            )
    return [(start, start + batches) for start in starts]
