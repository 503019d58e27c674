"""Pruning of whole units while a network trains: filters and neurons go for good."""

from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import TrainState
from prunescope.base.tree import Tree
from prunescope.sparsity.structure import Units, gone, rows
from prunescope.training.interventions.held import REMOVED, with_memory
from prunescope.training.interventions.intervention import Context
from prunescope.training.interventions.on_units import UnitIntervention
from prunescope.training.interventions.prune import remove


class PruneUnits(UnitIntervention):
    """Removes units of the scheduled layers; see `LayerSchedule` for when and how many.

    normalization_follows: the BatchNorm's gamma and beta and the sum with the shortcut die with the unit; False
    (2019's pruning by filter norm, and the reference arm of 2020's Figure 5) leaves them, so that a removed filter
    still puts out relu(beta). Sparsity counts the removed weights; biases, gamma and beta are held at 0 to the end of
    the run. A run that starts from such a state holds them anew from its first event of their layer on.

    Source: Bartoldson et al. 2020, section 2 and the authors' code; 2019, section 2.
    Differs from the source: of equal scores the first go; there, any.
    """

    normalization_follows: bool = True

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer units. Raises UsageError for a score that is not ready."""
        for schedule, kept in self.due(context):
            units = context.structure.at(schedule.layer)
            where = gone(state.weights.masks, units) | self.pick(state, context, units, kept)
            state = self._remove(state, context, units, where)
        return state

    def _remove(self, state: TrainState, context: Context, units: Units, where: Tensor) -> TrainState:
        mask = state.weights.masks[units.weight]
        state = remove(
            state, state.weights.masks | {units.weight: mask & ~rows(where, mask)}, context.moments
        )
        memory, kept = dict(state.memory[context.key]), dict[str, Tensor]()
        for name in units.dying(normalization_follows=self.normalization_follows):
            if name != units.weight:
                memory[f"{REMOVED}{name}"], kept[name] = where, ~where
        weights = state.weights.replace(params=tree.masked(state.weights.params, kept))
        if units.gate and self.normalization_follows:
            weights = weights.replace(
                buffers=weights.buffers | {units.gate: weights.buffers[units.gate] & ~where}
            )
        opt: dict[str, Tree] = {
            name: tree.masked(part, kept) if name in context.moments else part
            for name, part in state.opt.items()
        }
        return with_memory(state.replace(weights=weights, opt=opt), context.key, memory)
