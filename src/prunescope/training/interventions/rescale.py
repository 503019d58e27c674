"""Rescaling: every weight is multiplied by one number."""

from pydantic import Field

from prunescope.base.state import TrainState
from prunescope.training.interventions.intervention import Context, ScheduledIntervention


class Rescale(ScheduledIntervention):
    """Multiplies all maskable weights by one number; removed weights stay 0, and other parameters do not change.

    by: the factor. After random pruning to density p, p^(-1/2) restores the variance of the sums that reach a neuron.

    Source: proposed here, as a control of pruning at initialization.
    """

    by: float = Field(gt=0, allow_inf_nan=False)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the multiplied weights."""
        before = state.weights
        params = before.params | {name: before.params[name] * self.by for name in before.masks}
        return state.replace(weights=before.replace(params=params))
