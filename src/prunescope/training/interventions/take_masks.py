"""Masks of another run on these weights."""

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.training.interventions.intervention import Context, ScheduledIntervention
from prunescope.training.interventions.prune import remove


class TakeMasks(ScheduledIntervention):
    """Removes every weight that is removed in another state: a lottery ticket's mask on other initial weights.

    of: the other state.

    Source: Frankle and Carbin 2019 (winning tickets; with other initial weights, their control).
    """

    of: StateRef

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state that keeps what both states keep. Raises UsageError when the networks differ."""
        before, other = state.weights.masks, context.reference(self.of).masks
        shapes = [{name: tuple(mask.shape) for name, mask in masks.items()} for masks in (before, other)]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"the masks of run {self.of.run.id[:8]} have shapes {shapes[1]}, this network has {shapes[0]}; "
                "take them from a run of the same network"
            )
        return remove(state, {name: mask & other[name] for name, mask in before.items()}, context.slots)
