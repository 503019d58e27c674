"""Reinitialization: fresh values under the same masks."""

from prunescope.base import tree
from prunescope.base.state import TrainState
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.intervention import Context, ScheduledIntervention


class Reinit(ScheduledIntervention):
    """Draws all weights and statistics anew; masks, gates and holds stay, and optimizer state starts again at 0.

    Source: Frankle and Carbin 2019, the random-reinitialization control.
    """

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fresh values."""
        fresh = context.fresh()
        weights = fresh.replace(
            params=tree.masked(fresh.params, state.movable),
            buffers=fresh.buffers | gates(state.weights.buffers),
            masks=state.weights.masks,
        )
        opt = {name: tree.tree_map(lambda leaf: leaf * 0, part) for name, part in state.opt.items()}
        return state.replace(weights=weights, opt=opt)
