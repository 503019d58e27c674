"""Release: removed weights become trainable again."""

from prunescope.base.state import TrainState
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.held import without_removed
from prunescope.training.interventions.intervention import Context, ScheduledIntervention


class Release(ScheduledIntervention):
    """Makes every removed weight trainable again, from 0 (the last phase of dense-sparse-dense).

    After `PruneUnits`, gates open, and biases, gamma and beta are released too. All tensors of a unit are then 0: with
    BatchNorm only beta gets a gradient, so the output of the unit is a constant.

    Source: Han et al. 2017 (DSD: `Prune` once, later `Release`).
    """

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with all masks True and all gates open."""
        masks = {name: mask | True for name, mask in state.weights.masks.items()}
        opened = {name: gate | True for name, gate in gates(state.weights.buffers).items()}
        weights = state.weights.replace(masks=masks, buffers=state.weights.buffers | opened)
        return without_removed(state.replace(weights=weights))
