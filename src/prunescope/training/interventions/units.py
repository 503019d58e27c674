"""Interventions on whole units: removed for good, at zero for a while, there by chance, or noisy.

Does not belong here: what they share (`on_units.py`), when and how many (`when.py`).
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import Units, removed_units
from prunescope.training.interventions.intervention import REMOVED, Context, with_memory
from prunescope.training.interventions.on_units import UnitIntervention, hide, show, taken_units
from prunescope.training.interventions.prune import remove, zero_outside
from prunescope.training.interventions.when import LayerSchedule


class PruneUnits(UnitIntervention):
    """Removes units of the scheduled layers, at the steps and in the numbers of each `LayerSchedule`.

    normalization_follows: whether gamma and beta of the BatchNorm, and the channel of the sum with the shortcut, die
        with the unit. False (2019's pruning by filter norm, and the reference arm of 2020's Figure 5) leaves them, so
        that the output of a removed filter is relu(beta).

    Sparsity counts the removed weights. Biases, gamma and beta are held at 0 to the end of the run. A run that starts
    from such a state holds them again from its first event of their layer on.

    Source: Bartoldson et al. 2020, section 2 and the authors' code; 2019, section 2.
    Differs from the source: of units with equal scores the first are removed; there, any.
    """

    normalization_follows: bool = True

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer units. Raises UsageError for a score that is not ready."""
        for schedule, kept in self.due(context):
            units = context.structure.at(schedule.layer)
            where = removed_units(state.weights.masks, units) | self.pick(state, context, units, kept)
            state = self._remove(state, context, units, where)
        return state

    def _remove(self, state: TrainState, context: Context, units: Units, where: Tensor) -> TrainState:
        masks = dict(state.weights.masks)
        for part in units.weights:
            masks[part.name] = masks[part.name] & ~part.spread(where, masks[part.name])
        others = units.dying(normalization_follows=self.normalization_follows)[len(units.weights) :]
        held = {part.name: part.where(where) for part in others}
        state = remove(state, masks, context.slots)
        state = zero_outside(state, {name: ~gone for name, gone in held.items()}, context.slots)
        if units.gate and self.normalization_follows:
            buffers = state.weights.buffers | {units.gate: state.weights.buffers[units.gate] & ~where}
            state = state.replace(weights=state.weights.replace(buffers=buffers))
        memory = state.memory[context.key] | {f"{REMOVED}{name}": gone for name, gone in held.items()}
        return with_memory(state, context.key, memory)


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
