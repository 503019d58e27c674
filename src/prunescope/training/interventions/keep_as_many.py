"""The random control of another run's masks: as many weights of each layer as it keeps, but other ones."""

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.training.interventions.intervention import Context, ScheduledIntervention
from prunescope.training.interventions.prune import remove
from prunescope.training.interventions.shuffle_masks import scattered


class KeepAsMany(ScheduledIntervention):
    """Removes random weights of each layer until it keeps as many as another state does.

    of: the other state.

    Beside `TakeMasks` of the same state it tells which weights go from how many go in which layer.

    Source: Frankle et al. 2021, section 5 (randomly shuffled masks); there within the masks of the same network.
    """

    of: StateRef

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with random weights removed. Raises UsageError where the networks have different layers."""
        before, other = state.weights.masks, context.reference(self.of).masks
        if before.keys() != other.keys():
            raise UsageError(
                f"run {self.of.run.id[:8]} has masks of {', '.join(sorted(other))}, this network of "
                f"{', '.join(sorted(before))}; name a run of the same network"
            )
        generator = context.stream("as many")
        masks = {name: scattered(other[name], mask, generator) for name, mask in sorted(before.items())}
        return remove(state, masks, context.slots)
