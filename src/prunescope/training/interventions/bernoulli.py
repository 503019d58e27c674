"""Independent random pruning: every weight is kept with one probability."""

from pydantic import Field

from prunescope.base.errors import LayerCollapse
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.scores import Random
from prunescope.sparsity.select import prunable
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.prune import remove
from prunescope.training.interventions.when import At, When


class Bernoulli(Intervention):
    """Keeps every maskable weight with probability `keep`, each independently of all others.

    One uniform draw a weight is compared with `keep`, so masks of equal seeds and steps are nested: what a smaller
    probability keeps, a larger one keeps too. exclude: maskable tensors that are counted but never pruned.

    Source: Yang et al. 2023, section 2 (random pruning at initialization; recalled).
    """

    keep: float = Field(gt=0, le=1)
    exclude: tuple[str, ...] = ()
    allow_collapse: bool = False
    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer weights; their values and moments are 0.

        Raises LayerCollapse when a layer would lose its last weight, unless that is allowed.
        """
        before = state.weights.masks
        names = prunable(before, frozenset(self.exclude))
        drawn = Random().scores(state.weights, context)
        masks = before | {name: before[name] & (drawn[name] < self.keep) for name in names}
        empty = [name for name in names if bool(before[name].any()) and not bool(masks[name].any())]
        if empty and not self.allow_collapse:
            raise LayerCollapse(
                f"keep={self.keep} left no weight in {', '.join(empty)}; keep more, exclude the layer, "
                "or allow it with allow_collapse=True"
            )
        return remove(state, masks, context.moments)
