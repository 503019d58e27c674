"""Interventions on whole units: which units an event takes, and putting units to zero and back.

Belongs here: what those interventions share. Does not belong here: the interventions themselves, what a unit is
(`sparsity/structure.py`), how good it is (`sparsity/unit_scores.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.tree import Tree
from prunescope.sparsity.select import Target, choose
from prunescope.sparsity.structure import Structure, Units, gone, rows
from prunescope.sparsity.unit_scores import FilterNorm, UnitScore
from prunescope.training.interventions.held import with_memory
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.layer_schedule import LayerSchedule


class UnitIntervention(Intervention):
    """What every intervention on units is given.

    layers: which layers, each with its own events and counts. score, target: which end of which ranking within the
    layer goes. allow_idle_events: whether a layer may have more events than units.
    """

    layers: tuple[LayerSchedule, ...] = Field(min_length=1)
    score: UnitScore = FilterNorm()
    target: Target = "smallest"
    allow_idle_events: bool = False

    @model_validator(mode="after")
    def _each_layer_once(self) -> Self:
        names = [schedule.layer for schedule in self.layers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"layers lists {', '.join(twice)} more than once; give a layer one schedule")
        return self

    @property
    def observes(self) -> bool:  # type: ignore[override]  # what runs may be stacked depends on it
        """Whether the score watches the network train."""
        return self.score.watches and self.target != "random"

    def events(self, clock: Clock) -> tuple[int, ...]:
        """All events of all layers."""
        return tuple(sorted({step for schedule in self.layers for step in schedule.steps(clock)}))

    def onsets(self, clock: Clock) -> tuple[int, ...]:
        """Where units are taken."""
        return UnitIntervention.events(self, clock)

    def check(self, clock: Clock, structure: Callable[[], Structure]) -> None:
        """Raises UsageError for a layer without units, a score it cannot have, or too many events."""
        found = structure()
        for schedule in self.layers:
            units = found.at(schedule.layer)
            if self.target != "random":
                self.score.check(units)
            schedule.check(clock, units.count, allow_idle_events=self.allow_idle_events)

    def init(self, weights: Weights) -> Tree:
        """What the score remembers."""
        known = [s.layer for s in self.layers if f"{s.layer}.weight" in weights.params]
        return self.score.init(weights, known)

    def needs(self, step: int) -> frozenset[str]:
        """What the score wants to see."""
        return self.score.needs(step)

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """What the score makes of it."""
        return self.score.observe(memory, captured)

    def due(self, context: Context) -> Iterator[tuple[LayerSchedule, int]]:
        """The layers with an event here, and how many of their units are kept after it."""
        for schedule in self.layers:
            steps = schedule.steps(context.clock)
            if context.local in steps:
                count = context.structure.at(schedule.layer).count
                yield schedule, schedule.kept(count, len(steps))[steps.index(context.local)]

    def pick(self, state: TrainState, context: Context, units: Units, kept: int) -> Tensor:
        """Bool [N]: the units that are taken now, so that `kept` are left of those not taken before.

        Exactly so many; of equal scores the first. None where fewer than `kept` are left already.
        """
        memory = state.memory[context.key]
        before = taken(state.weights, memory, units)
        count = units.count - kept - int(before.sum())
        if count <= 0:
            return before & False
        left = {units.layer: ~before}
        scores = (
            left
            if self.target == "random"
            else {units.layer: self.score.scores(state.weights, units, memory)}
        )
        generator = context.stream("target", units.layer)
        after = choose(scores, left, count=count, target=self.target, generator=generator)
        return left[units.layer] & ~after[units.layer]


def taken(weights: Weights, memory: Tree, units: Units) -> Tensor:
    """Bool [N]: the units that are gone, and those that `memory` says were taken for a while."""
    away, before = removed_units(weights.masks, units), memory.get(f"taken/{units.layer}")
    return away if before is None else away | before


def hide(
    state: TrainState,
    key: str,
    units: Units,
    where: Tensor,
    *,
    normalization_follows: bool,
    save: Sequence[str],
) -> TrainState:
    """The state with the units `where` [N] at 0 and held there, until `show`.

    save: names of the parameters and buffers of which to remember what they were. Moments are left alone.
    """
    memory, label = dict(state.memory[key]), f"hidden/{units.layer}"
    params, buffers = dict(state.weights.params), dict(state.weights.buffers)
    for name in save:
        memory[f"{label}/saved/{name}"] = params[name] if name in params else buffers[name]
    for name in units.dying(normalization_follows=normalization_follows):
        held = rows(where, params[name])
        memory[f"{label}/held/{name}"] = held
        params[name] = params[name].masked_fill(held, 0.0)
    if units.gate and normalization_follows:
        memory[f"{label}/closed"] = where & buffers[units.gate]
        buffers[units.gate] = buffers[units.gate] & ~where
    memory[f"{label}/where"] = where
    weights = state.weights.replace(params=params, buffers=buffers)
    return with_memory(state.replace(weights=weights), key, memory)


def show(state: TrainState, key: str, units: Units) -> TrainState:
    """The state with the hidden units of a layer back: with what was saved, else at 0. What was removed stays gone."""
    memory, label = dict(state.memory[key]), f"hidden/{units.layer}/"
    hidden = {name.removeprefix(label): memory.pop(name) for name in list(memory) if name.startswith(label)}
    if not hidden:
        return state
    params, buffers = dict(state.weights.params), dict(state.weights.buffers)
    where = hidden["where"] & ~removed_units(state.weights.masks, units)
    for name, was in hidden.items():
        kind, _, tensor = name.partition("/")
        if kind == "saved":
            part = params if tensor in params else buffers
            back = rows(where, was) & state.weights.masks.get(tensor, where.new_ones(()))
            part[tensor] = was.where(back, part[tensor])
    if "closed" in hidden:
        buffers[units.gate] = buffers[units.gate] | (hidden["closed"] & where)
    weights = state.weights.replace(params=params, buffers=buffers)
    return with_memory(state.replace(weights=weights), key, memory)
