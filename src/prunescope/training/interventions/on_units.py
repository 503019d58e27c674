"""The common part of interventions on whole units: the units that an event takes, and hiding and showing units.

Belongs here: what those interventions share. Does not belong here: the interventions themselves, the definition of a
unit (`sparsity/structure.py`), its score (`sparsity/unit_scores.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.tree import Tree
from prunescope.sparsity.select import Target, choose
from prunescope.sparsity.structure import Part, Structure, Units, removed_units
from prunescope.sparsity.unit_scores import FilterNorm, UnitScore
from prunescope.training.interventions.intervention import Context, Intervention, with_memory
from prunescope.training.interventions.when import LayerSchedule


class UnitIntervention(Intervention):
    """An intervention on the units of some layers.

    layers: the layers, each with its own events and counts.
    score: the ranking of the units within a layer.
    target: the end of the ranking that is taken.
    allow_idle_events: whether a layer may have more events than units.
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
    def observes(self) -> bool:
        """Whether the score watches the network train."""
        return self.score.watches and self.target != "random"

    def events(self, clock: Clock) -> tuple[int, ...]:
        """All events of all layers."""
        return tuple(sorted({step for schedule in self.layers for step in schedule.steps(clock)}))

    def onsets(self, clock: Clock) -> tuple[int, ...]:
        """The events of all layers."""
        return UnitIntervention.events(self, clock)

    def check(self, clock: Clock, structure: Callable[[], Structure]) -> None:
        """Raises UsageError for a layer without units, a score that is impossible there, or too many events."""
        for schedule in self.layers:
            units = structure().at(schedule.layer)
            if self.target != "random":
                self.score.check(units)
            if (events := len(schedule.steps(clock))) > units.count and not self.allow_idle_events:
                raise UsageError(
                    f"{events} events for the {units.count} units of {schedule.layer}, so some would remove nothing; "
                    f"lengthen period={schedule.period!r}, or allow it with allow_idle_events=True"
                )

    def init(self, weights: Weights) -> Tree:
        """The memory of the score."""
        layers = [s.layer for s in self.layers if f"{s.layer}.weight" in weights.params]
        return self.score.init(weights, layers)

    def needs(self, step: int) -> frozenset[str]:
        """See `UnitScore.needs`."""
        return self.score.needs(step)

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """See `UnitScore.observe`."""
        return self.score.observe(memory, captured)

    def due(self, context: Context) -> Iterator[tuple[LayerSchedule, int]]:
        """The layers with an event here, and the number of their units that are kept after it."""
        for schedule in self.layers:
            steps = schedule.steps(context.clock)
            if context.local in steps:
                count = context.structure.at(schedule.layer).count
                yield schedule, schedule.kept(count, len(steps))[steps.index(context.local)]

    def pick(self, state: TrainState, context: Context, units: Units, kept: int) -> Tensor:
        """Bool [N]: the units to take now, so that exactly `kept` remain of those that were not taken before.

        Of equal scores the first are taken. None is taken where fewer than `kept` remain already.
        """
        memory = state.memory[context.key]
        taken = taken_units(state.weights, memory, units)
        count = units.count - kept - int(taken.sum())
        if count <= 0:
            return taken & False
        masks = scores = {units.layer: ~taken}
        if self.target != "random":
            scores = {units.layer: self.score.scores(state.weights, units, memory)}
        generator = context.stream("target", units.layer)
        after = choose(scores, masks, count=count, target=self.target, generator=generator)
        return masks[units.layer] & ~after[units.layer]

    def take(self, state: TrainState, context: Context, units: Units, kept: int) -> tuple[TrainState, Tensor]:
        """The units to take now, see `pick`, and the state whose memory counts them among the taken ones."""
        new = self.pick(state, context, units, kept)
        memory = state.memory[context.key]
        memory = memory | {f"taken/{units.layer}": new | taken_units(state.weights, memory, units)}
        return state.replace(memory=state.memory | {context.key: memory}), new


def taken_units(weights: Weights, memory: Tree, units: Units) -> Tensor:
    """Bool [N]: the units that are removed, and those that were taken for a while according to `memory`."""
    removed, taken = removed_units(weights.masks, units), memory.get(f"taken/{units.layer}")
    return removed if taken is None else removed | taken


def hide(
    state: TrainState, key: str, units: Units, where: Tensor, *, normalization_follows: bool, save: Sequence[Part]
) -> TrainState:
    """The state with the units `where` [N] at 0 and held there, until `show`.

    save: the parts in parameters and buffers whose values the memory keeps. Optimizer state does not change.
    """
    memory, label = dict(state.memory[key]), f"hidden/{units.layer}"
    params, buffers = state.weights.params, dict(state.weights.buffers)
    for part in save:
        memory[f"{label}/saved/{part.name}"] = params[part.name] if part.name in params else buffers[part.name]
    for part in units.dying(normalization_follows=normalization_follows):
        memory[f"{label}/held/{part.name}"] = part.spread(where, params[part.name])
    if units.gate and normalization_follows:
        memory[f"{label}/closed"] = where & buffers[units.gate]
        buffers[units.gate] = buffers[units.gate] & ~where
    memory[f"{label}/where"] = where
    weights = state.weights.replace(buffers=buffers)
    return with_memory(state.replace(weights=weights), key, memory)


def show(state: TrainState, key: str, units: Units) -> TrainState:
    """The state without the hold of a layer's hidden units, which get their saved values back.

    Units without saved values start from 0. Removed weights stay removed.
    """
    memory, label = dict(state.memory[key]), f"hidden/{units.layer}/"
    hidden = {name.removeprefix(label): memory.pop(name) for name in list(memory) if name.startswith(label)}
    if not hidden:
        return state
    params, buffers = dict(state.weights.params), dict(state.weights.buffers)
    where = hidden["where"] & ~removed_units(state.weights.masks, units)
    for part in (*units.dying(normalization_follows=True), *units.statistics):
        saved = hidden.get(f"saved/{part.name}")
        if saved is not None:
            tree = params if part.name in params else buffers
            restored = part.spread(where, saved) & state.weights.masks.get(part.name, where.new_ones(()))
            tree[part.name] = saved.where(restored, tree[part.name])
    if "closed" in hidden:
        buffers[units.gate] = buffers[units.gate] | (hidden["closed"] & where)
    weights = state.weights.replace(params=params, buffers=buffers)
    return with_memory(state.replace(weights=weights), key, memory)
