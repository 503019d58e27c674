"""Weight rewinding: values go back, masks stay."""

from typing import Literal

from prunescope.base import tree
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.intervention import Context, ScheduledIntervention


class Rewind(ScheduledIntervention):
    """Gives the weights the values that they had in another state; masks, gates and holds stay.

    to: the other state.
    what: "all" restores BatchNorm statistics too, "weights" does not.

    Source: Frankle et al. 2020, Algorithm 2 (rewinding to iteration k); Renda et al. 2020 (weight rewinding).
    """

    to: StateRef
    what: Literal["all", "weights"] = "all"

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the referenced values under its own masks."""
        source = context.reference(self.to)
        weights = state.weights.replace(params=tree.masked(source.params, state.movable))
        if self.what == "all":
            weights = weights.replace(buffers=source.buffers | gates(weights.buffers))
        return state.replace(weights=weights)
