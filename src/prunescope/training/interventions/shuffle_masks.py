"""The layerwise-shuffled control: as many weights of each layer, but other ones."""

import torch
from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.prune import remove


class ShuffleMasks(Intervention):
    """Removes from each layer as many weights as another intervention would, but random ones.

    It shows whether the pattern within layers matters, or only the number of weights that each layer keeps.

    of: the other intervention, which prunes and has no memory.

    Source: Frankle et al. 2021, section 5 (randomly shuffling the masks of at-initialization methods).
    """

    of: Intervention

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `of`."""
        return self.of.events(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with as many weights in each layer as after `of`. Raises what `of` raises."""
        pruned = self.of.apply(state, context).weights.masks
        generator = context.stream("shuffle")
        masks = {name: scattered(pruned[name], mask, generator) for name, mask in sorted(state.weights.masks.items())}
        return remove(state, masks, context.slots)


def scattered(pruned: Tensor, before: Tensor, generator: torch.Generator) -> Tensor:
    """As many True entries as in `pruned`, uniformly among those of `before`."""
    count, kept = int(before.sum()), int(pruned.sum())
    order = torch.randperm(count, generator=generator, device=generator.device)
    return before.masked_scatter(before, (order < kept).to(before.device))
