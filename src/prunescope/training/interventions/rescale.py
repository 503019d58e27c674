"""Rescaling: every weight is multiplied by one number."""

from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.when import At, When


class Rescale(Intervention):
    """Multiplies all maskable weights by `by`; removed ones stay 0, and what has no mask stays as it is.

    After random pruning to density p, by = p^(-1/2) gives the sums that reach a neuron their variance back.

    Source: proposed here, as a control of pruning at initialization.
    """

    by: float = Field(gt=0, allow_inf_nan=False)
    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with other weights; nothing is drawn."""
        before = state.weights
        params = before.params | {name: before.params[name] * self.by for name in before.masks}
        return state.replace(weights=before.replace(params=params))
