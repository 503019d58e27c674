"""Weight rewinding: values go back, masks stay."""

from typing import Literal

from prunescope.base import tree
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.when import At, When


class Rewind(Intervention):
    """Gives the weights (and BatchNorm statistics) the values that they had at `to`; masks, gates and holds
    stay.

    what: "all" restores statistics too, "weights" leaves them.

    Source: Frankle et al. 2020, Algorithm 2 (rewinding to iteration k); Renda et al. 2020 (weight rewinding).
    """

    to: StateRef
    what: Literal["all", "weights"] = "all"
    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the referenced values under its own masks."""
        source = context.reference(self.to)
        weights = state.weights.replace(params=tree.masked(source.params, state.movable))
        if self.what == "all":
            weights = weights.replace(buffers=source.buffers | gates(weights.buffers))
        return state.replace(weights=weights)
