"""Masks of another run on these weights."""

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.prune import remove
from prunescope.training.interventions.when import At, When


class TakeMasks(Intervention):
    """Removes every weight that is removed in the state `of`: a lottery ticket's mask on other initial weights.

    Source: Frankle and Carbin 2019 (winning tickets; with other initial weights, their control).
    """

    of: StateRef
    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state under both masks, its own and the other's. Raises UsageError when the networks differ."""
        own, other = state.weights.masks, context.reference(self.of).masks
        shapes = [{name: tuple(mask.shape) for name, mask in masks.items()} for masks in (own, other)]
        if shapes[0] != shapes[1]:
            raise UsageError(
                f"the masks of run {self.of.run.id[:8]} have shapes {shapes[1]}, this network has {shapes[0]}; "
                "take them from a run of the same network"
            )
        return remove(state, {name: mask & other[name] for name, mask in own.items()}, context.moments)
