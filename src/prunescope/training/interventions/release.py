"""Release: what was pruned may live again."""

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.held import without_removed
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.when import At, When


class Release(Intervention):
    """Makes every removed weight trainable again; it re-enters at 0 (the last phase of dense-sparse-dense).

    After `PruneUnits`, gates open and biases, gamma and beta are let go too. A whole unit then has only zeros: where
    BatchNorm follows, beta alone gets a gradient, so the unit comes back as a constant.

    Source: Han et al. 2017 (DSD: `Prune` once, later `Release`).
    """

    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with all masks True and all gates open."""
        masks = {name: mask | True for name, mask in state.weights.masks.items()}
        opened = {name: gate | True for name, gate in gates(state.weights.buffers).items()}
        weights = state.weights.replace(masks=masks, buffers=state.weights.buffers | opened)
        return without_removed(state.replace(weights=weights))
