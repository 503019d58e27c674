"""Release: what was pruned may live again.

Belongs here: undoing masks. Does not belong here: choosing new ones.
"""

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.when import At, When


class Release(Intervention):
    """Makes every removed weight trainable again; it re-enters at 0 (the last phase of dense-sparse-dense)."""

    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with all masks True."""
        masks = {name: mask | True for name, mask in state.weights.masks.items()}
        return state.replace(weights=state.weights.replace(masks=masks))
