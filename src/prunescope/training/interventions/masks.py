"""Interventions that set masks without ranking weights: by chance, or as another run or intervention has them."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.scores import Random
from prunescope.sparsity.select import check_collapse, prunable
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.intervention import (
    Context,
    Intervention,
    ScheduledIntervention,
    without_removed,
)
from prunescope.training.interventions.prune import remove


class Bernoulli(ScheduledIntervention):
    """Keeps every maskable weight with probability `keep`, each independently of all others.

    One uniform draw for each weight is compared with `keep`, so the masks of equal seeds and steps are nested: a larger
    probability keeps all that a smaller one keeps.

    keep: the probability.
    exclude: names of maskable tensors that are counted but never pruned.
    allow_collapse: whether a layer may lose its last weight.

    Source: Yang et al. 2023, section 2 (random pruning at initialization; recalled).
    """

    keep: float = Field(gt=0, le=1)
    exclude: tuple[str, ...] = ()
    allow_collapse: bool = False

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer weights. Raises LayerCollapse when a layer loses its last one, unless it may."""
        before = state.weights.masks
        names = prunable(before, frozenset(self.exclude))
        draws = Random().scores(state.weights, context)
        masks = before | {name: before[name] & (draws[name] < self.keep) for name in names}
        if not self.allow_collapse:
            check_collapse(before, masks, cure=f"keep more (keep={self.keep:g})")
        return remove(state, masks, context.slots)


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


class Release(ScheduledIntervention):
    """Makes every removed weight trainable again, from 0 (the last phase of dense-sparse-dense).

    After `PruneUnits`, gates open, and biases, gamma and beta are released too. All tensors of a unit are then 0: with
    BatchNorm only beta gets a gradient, so the output of the unit is a constant.

    Source: Han et al. 2017 (DSD: `Prune` once, later `Release`).
    """

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with all masks True and all gates open."""
        masks = {name: mask | True for name, mask in state.weights.masks.items()}
        opened = {name: gate | True for name, gate in gates(state.weights.buffers).items()}
        weights = state.weights.replace(masks=masks, buffers=state.weights.buffers | opened)
        return without_removed(state.replace(weights=weights))


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
