"""Independent random pruning: every weight is kept with the same probability."""

from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.sparsity.scores import Random
from prunescope.sparsity.select import check_collapse, prunable
from prunescope.training.interventions.intervention import Context, ScheduledIntervention
from prunescope.training.interventions.prune import remove


class Bernoulli(ScheduledIntervention):
    """Keeps every maskable weight with probability `keep`, each independently of all others.

    One uniform draw for each weight is compared with `keep`, so the masks of equal seeds and steps are nested: a larger
    probability keeps all that a smaller one keeps.

    keep: the probability.
    exclude: names of maskable tensors that are counted but never pruned.
    allow_collapse: whether a layer may lose its last weight.

    Source: Yang et al. 2023, section 2 (random pruning at initialization; recalled).
    """

    keep: float = Field(gt=0, le=1)
    exclude: tuple[str, ...] = ()
    allow_collapse: bool = False

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer weights. Raises LayerCollapse when a layer loses its last one, unless it may."""
        before = state.weights.masks
        names = prunable(before, frozenset(self.exclude))
        draws = Random().scores(state.weights, context)
        masks = before | {name: before[name] & (draws[name] < self.keep) for name in names}
        if not self.allow_collapse:
            check_collapse(before, masks, cure=f"keep more (keep={self.keep:g})")
        return remove(state, masks, context.slots)
