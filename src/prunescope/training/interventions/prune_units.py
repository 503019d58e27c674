"""Pruning of whole units: filters and neurons are removed for good."""

from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.sparsity.structure import Units, removed_units
from prunescope.training.interventions.held import REMOVED, with_memory
from prunescope.training.interventions.intervention import Context
from prunescope.training.interventions.on_units import UnitIntervention
from prunescope.training.interventions.prune import remove, zero_outside


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
