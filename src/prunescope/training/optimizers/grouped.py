"""Parameter groups: another weight decay or learning rate for some parameters."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Self

from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree
from prunescope.base.value import Value
from prunescope.training.optim import Decay, Moved, Optimizer, OptState
from prunescope.training.optimizers.wrapper import Wrapper

VECTORS = "vectors"
"""The pattern of every parameter that has at most one axis: biases, and scales and shifts of normalization."""


class Group(Value):
    """Parameters that are trained otherwise than the others.

    match: patterns of their names, as in "layer4.*", or "vectors": all with at most one axis, which are biases and the
        scales and shifts of normalization.
    weight_decay: their weight decay; None is that of the others.
    lr: factor of their learning rate.
    """

    match: tuple[str, ...] = Field(min_length=1)
    weight_decay: Decay | None = None
    lr: float = Field(default=1.0, ge=0)


class Grouped(Wrapper):
    """A rule with another weight decay or learning rate for some parameters; the first group that names one has it.

    optimizer: the rule, and what holds for parameters that no group names.
    groups: what holds for the others.

    Source: the parameter groups of torch.optim; no decay of normalization and biases as in He et al. 2019, section 3.1:
    `Grouped(optimizer=SGD(weight_decay=5e-4), groups=(Group(match=("vectors",), weight_decay=0.0),))`.
    """

    elementwise = Wrapper.elementwise
    stackable = Wrapper.stackable
    groups: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_decay(self) -> Self:
        decays = any(group.weight_decay is not None for group in self.groups)
        if decays and "weight_decay" not in type(self.optimizer).model_fields:
            raise ValueError(
                f"{type(self.optimizer).__name__} has no weight_decay that a group could change; "
                "put Grouped around the rule itself, and other wrappers around Grouped"
            )
        return self

    def bound(self, params: Mapping[str, Tensor]) -> Self:
        """The same with names in place of patterns. Raises UsageError for a pattern that matches no parameter."""
        inner = super().bound(params)
        return inner.replace(groups=tuple(_named(group, params) for group in self.groups))

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`; the rule of each group on its part of the parameters."""
        updated: Tree = {}
        state: OptState = {part: {} for part in opt}
        for (rule, factor), names in _parts(self, tuple(params)):
            trees = [{name: tree[name] for name in names if name in tree} for tree in (grads, params, keep)]
            before = {
                part: {name: leaves[name] for name in names} if part in self.slots else leaves
                for part, leaves in opt.items()
            }
            moved, after = rule.update(trees[0], before, trees[1], keep=trees[2], lr=lr * factor)
            updated |= moved
            for part, leaves in after.items():
                state.setdefault(part, {}).update(leaves)
        return {name: updated[name] for name in params}, {
            part: {name: leaves[name] for name in params} if part in self.slots else leaves
            for part, leaves in state.items()
        }


def _named(group: Group, params: Mapping[str, Tensor]) -> Group:
    names = []
    for pattern in group.match:
        matching = [
            name
            for name, leaf in params.items()
            if (pattern == VECTORS and leaf.ndim <= 1) or fnmatchcase(name, pattern)
        ]
        if not matching:
            raise UsageError(
                f"no parameter matches {pattern!r} of a group; write 'vectors', or a pattern of the names "
                f"{', '.join(list(params)[:20])}{' ...' * (len(params) > 20)}"
            )
        names += matching
    return group.replace(match=tuple(dict.fromkeys(names)))


@lru_cache(256)
def _parts(rule: Grouped, names: tuple[str, ...]) -> tuple[tuple[tuple[Optimizer, float], tuple[str, ...]], ...]:
    """The rule and the factor of the learning rate of each group that has any of the parameters, and which."""
    parts: dict[int, list[str]] = {}
    for name in names:
        matching = (k for k, group in enumerate(rule.groups) if name in group.match)
        parts.setdefault(next(matching, -1), []).append(name)
    rules = []
    for k, members in parts.items():
        inner, factor = rule.optimizer, 1.0
        if k >= 0:
            group = rule.groups[k]
            factor = group.lr
            inner = inner if group.weight_decay is None else inner.replace(weight_decay=group.weight_decay)
        rules.append(((inner, factor), tuple(members)))
    return tuple(rules)
