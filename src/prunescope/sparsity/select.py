"""Selection: how many weights go, and which ones.

Belongs here: how many weights an event removes, and the choice of new masks from scores. Does not belong here:
scores (`scores.py`), how layers share a count (`allocation.py`), what happens to weights and optimizer state
(`training/interventions/`).

Counts are exact integers. "Maskable" weights are all entries of the masks; layers in `exclude` are counted
among them but never pruned. Ties are broken by position: by parameter name, then by index in the flattened
tensor.
"""

from abc import abstractmethod
from fractions import Fraction
from math import ceil
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base import tree
from prunescope.base.errors import Diverged, LayerCollapse, Unreachable, UsageError
from prunescope.base.tree import Masks, Tree
from prunescope.base.value import Value
from prunescope.sparsity.allocation import allocate, largest_remainder, share

Scope = Literal["global", "layer", "uniform", "erdos_renyi", "erdos_renyi_kernel"]
"""Weights are ranked over all layers ("global"), or in each layer: see `choose`."""
Target = Literal["smallest", "random", "largest"]
"""The end of the ranking that is removed."""
Ties = Literal["exact", "openlth"]
"""What happens to equal scores: exactly `count` weights are removed, or as OpenLTH does; see `choose`."""


class Amount(Value):
    """A rule for the number of weights that remain after an event."""

    @abstractmethod
    def remaining_after(self, remaining: int, *, total: int, event: int, events: int) -> int:
        """The number of weights that remain after event number `event` (from 1) of `events`.

        remaining: number of weights that remain before the event.
        total: number of maskable weights.
        """


class Remaining(Amount):
    """Every event removes the share `fraction` of the remaining weights: of n weights, n - ceil(fraction * n) stay.

    Excluded layers count among the remaining weights, although they lose nothing.

    Source: Jin et al. 2022, section 2 (fraction 0.2); Frankle and Carbin 2019.
    """

    fraction: float = Field(ge=0, lt=1)

    def remaining_after(self, remaining: int, *, total: int, event: int, events: int) -> int:
        """See `Amount.remaining_after`; the number of the event plays no role."""
        # The decimal that was written: as a binary float, 0.07 * 100 is above 7 and would round up to 8.
        return remaining - ceil(Fraction(str(self.fraction)) * remaining)


class Sparsity(Amount):
    """The sparsity `final` over all maskable weights, which the last event reaches along a curve.

    With x = event / events, the sparsity after the event is final * x (linear), final * (1 - (1 - x)^3)
    (cubic), or 1 - (1 - final)^x (geometric: the same share of the remaining weights at every event). The number of
    zeros is rounded. An event removes nothing if the network is sparser already.

    Source: cubic: Zhu and Gupta 2017, eq. 1, from initial sparsity 0. geometric: Frankle and Carbin 2019.
    """

    final: float = Field(gt=0, lt=1)
    curve: Literal["geometric", "linear", "cubic"] = "geometric"

    def remaining_after(self, remaining: int, *, total: int, event: int, events: int) -> int:
        """See `Amount.remaining_after`."""
        progress = event / events
        if self.curve == "linear":
            sparsity = self.final * progress
        elif self.curve == "cubic":
            sparsity = self.final * (1 - (1 - progress) ** 3)
        else:
            sparsity = 1 - (1 - self.final) ** progress
        return min(remaining, total - round(sparsity * total))


def remove_count(amount: Amount, masks: Masks, event: int, events: int) -> int:
    """The number of weights, over all layers, that event number `event` (from 1) of `events` removes.

    amount: the rule.
    masks: the masks before the event.
    """
    remaining = tree.kept(masks)
    return remaining - amount.remaining_after(remaining, total=tree.size(masks), event=event, events=events)


def choose(
    scores: Tree,
    masks: Masks,
    *,
    count: int,
    scope: Scope = "global",
    target: Target = "smallest",
    exclude: frozenset[str] = frozenset(),
    ties: Ties = "exact",
    generator: torch.Generator | None = None,
    allow_collapse: bool = False,
) -> Masks:
    """New masks with `count` fewer weights.

    Args:
        scores: a tensor of the mask's shape for every layer that is not excluded; entries of removed weights
            are ignored. With target "random" only `masks` matter.
        masks: bool tensors, True = kept; they are not changed.
        count: number of weights to remove from all layers that are not excluded.
        scope: "global" ranks all layers together. "layer" removes the same share of the remaining weights of
            each layer; "uniform" brings all layers to the same density, "erdos_renyi" and
            "erdos_renyi_kernel" to densities by their shapes (see `allocation.share`), except those that are
            sparser already. Counts are rounded by largest remainder, so that their total is exact.
        target: "smallest", "largest", or "random", uniform among the remaining weights.
        exclude: names of layers that lose nothing.
        ties: "exact" removes `count` weights, of equal scores the first. "openlth" removes, in each ranking, all up
            to and including the value at 0-based index `count` of the sorted scores: count + 1 weights and those that
            tie with the last of them.
        generator: the generator that target "random" draws from.
        allow_collapse: whether a layer may lose its last weight.

    Returns: masks of the same names and shapes, which keep a subset of the weights that `masks` keep.

    Raises: UsageError for impossible arguments; Unreachable if fewer than `count` weights can be removed;
        LayerCollapse if a layer would lose its last weight; Diverged if a score is not a number.

    Source: Jin et al. 2022, section 2 (global magnitude).
    Differs from the source: removes exactly `count`; the paper used OpenLTH, which is ties="openlth".
    """
    names = prunable(masks, exclude)
    _check(count, target, ties=ties, generator=generator)
    unfit = [name for name in names if name not in scores or scores[name].shape != masks[name].shape]
    if unfit and target != "random":
        raise UsageError(f"no scores of the masks' shape for {', '.join(unfit)}; score or exclude every layer")
    remaining = {name: int(masks[name].sum()) for name in names}
    extra = int(ties == "openlth" and count > 0)
    if count + extra > sum(remaining.values()):
        spared = ", ".join(f"{name} ({int(masks[name].sum())})" for name in sorted(exclude)) or "none"
        raise Unreachable(
            f"cannot remove {count + extra} weights: {sum(remaining.values())} remain in the layers that may be pruned "
            f"(excluded layers and the weights they keep: {spared}); remove fewer or exclude less"
        )
    new = dict(masks)
    for group, quota in _quotas(masks, remaining, count=count, scope=scope):
        if quota > 0:
            ranked = {name: masks[name] if target == "random" else scores[name] for name in group}
            new |= _without_lowest(ranked, masks, count=quota, target=target, ties=ties, generator=generator)
    if not allow_collapse:
        check_collapse(masks, new)
    return new


def check_collapse(before: Masks, after: Masks, *, cure: str = "remove fewer weights") -> None:
    """Raises LayerCollapse for layers of which `before` keeps some weights and `after` none.

    cure: what would keep them, the beginning of the message's advice.
    """
    sizes = {name: int(before[name].sum()) for name in sorted(before) if not bool(after[name].any())}
    collapsed = [f"{name} (its last {size} of {before[name].numel()} would go)" for name, size in sizes.items() if size]
    if collapsed:
        raise LayerCollapse(
            f"no weight would remain in {', '.join(collapsed)}; {cure}, exclude the layer, use another scope or score, "
            "or allow it with allow_collapse=True"
        )


def prunable(masks: Masks, exclude: frozenset[str]) -> list[str]:
    """The names of the masks that are not excluded, sorted. Raises UsageError for excluded names without a mask."""
    unknown = sorted(exclude - masks.keys())
    if unknown:
        raise UsageError(f"exclude names {', '.join(unknown)}; maskable are {', '.join(sorted(masks))}")
    return sorted(masks.keys() - exclude)


def per_layer(masks: Masks) -> dict[str, float]:
    """The sparsity of every layer, zeros over weights, in the order of names."""
    return {name: tree.sparsity({name: masks[name]}) for name in sorted(masks)}


def _check(count: int, target: Target, *, ties: Ties, generator: torch.Generator | None) -> None:
    if count < 0:
        raise UsageError(f"count={count} is negative; give the number of weights to remove, 0 or more")
    if target == "random" and generator is None:
        raise UsageError("target='random' draws, so it needs generator=...")
    if target == "random" and ties != "exact":
        raise UsageError(f"ties={ties!r} has no meaning for target='random', which ranks nothing; use 'exact'")


def _quotas(masks: Masks, remaining: dict[str, int], *, count: int, scope: Scope) -> list[tuple[list[str], int]]:
    """The rankings, each a group of layers, and the number of weights that the group loses."""
    if scope == "global":
        return [(list(remaining), count)]
    if scope == "layer":
        split = largest_remainder(count, remaining)
    else:
        shares = {name: share(masks[name].shape, scope) for name in remaining}
        after = allocate(sum(remaining.values()) - count, shares, remaining)
        split = {name: kept - after[name] for name, kept in remaining.items()}
    return [([name], quota) for name, quota in split.items()]


def _without_lowest(
    scores: Tree, masks: Masks, *, count: int, target: Target, ties: Ties, generator: torch.Generator | None
) -> Masks:
    """The masks of the layers in `scores`, ranked together, without `count` of their weights."""
    kept = torch.cat([masks[name].flatten() for name in scores])
    if target == "random":
        assert generator is not None
        order = torch.randperm(int(kept.sum()), generator=generator, device=generator.device)
        lowest = order.to(kept.device) < count
    else:
        flat = torch.cat([score.detach().flatten() for score in scores.values()]).masked_select(kept)
        lowest = _lowest(flat if target == "smallest" else -flat, count=count, ties=ties)
    kept = kept.masked_scatter(kept, ~lowest)
    pieces = kept.split_with_sizes([masks[name].numel() for name in scores])
    # Copies: views of one storage would be written to disk whole, once for every layer.
    return {name: piece.reshape(masks[name].shape).clone() for name, piece in zip(scores, pieces, strict=True)}


def _lowest(values: Tensor, *, count: int, ties: Ties) -> Tensor:
    """Bool [n]: the `count` lowest of values [n], of equal ones the first; or those by OpenLTH's rule."""
    if bool(values.isnan().any()):
        raise Diverged(
            "a score is not a number, so there is no ranking; the weights have probably diverged, or a score of your "
            "own divides 0 by 0 or takes a root or logarithm of a negative number"
        )
    if ties == "openlth":
        return values <= values.kthvalue(min(count + 1, len(values))).values
    threshold = values.kthvalue(count).values
    lowest = values < threshold
    equal = (values == threshold).nonzero().flatten()
    lowest[equal[: count - int(lowest.sum())]] = True
    return lowest
