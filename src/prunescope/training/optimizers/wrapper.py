"""Optimizers around another optimizer: accumulated or clipped gradients, averaged weights, parameter groups."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import ClassVar, Self

import torch
from pydantic import Field, SerializeAsAny, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree, tree_map
from prunescope.base.value import Value
from prunescope.training.optim import Decay, Moved, Optimizer, OptState, along


class Wrapper(Optimizer):
    """A rule around another one, whose state it has by default.

    optimizer: the rule inside.
    """

    optimizer: SerializeAsAny[Optimizer]

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # those of the rule inside
        """See `Optimizer`."""
        return self.optimizer.slots

    @property
    def elementwise(self) -> bool:  # type: ignore[override]  # as the rule inside is
        """See `Optimizer`; a subclass that overrides `update` has to say that it is so."""
        return self.optimizer.elementwise

    @property
    def stackable(self) -> bool:  # type: ignore[override]  # as the rule inside is
        """See `elementwise`."""
        return self.optimizer.stackable

    def init(self, params: Tree) -> OptState:
        """The state of the rule inside."""
        return self.optimizer.init(params)

    def bound(self, params: Mapping[str, Tensor]) -> Self:
        """See `Optimizer.bound`."""
        return self.replace(optimizer=self.optimizer.bound(params))


class _WithTree(Wrapper):
    """A rule with a tree shaped like the parameters, and a count, beside the state of the rule inside.

    own: the names of both in the state.
    """

    own: ClassVar[tuple[str, str]]

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # those of the rule, and the tree
        """See `Optimizer`."""
        return (*self.optimizer.slots, self.own[0])

    def init(self, params: Tree) -> OptState:
        """The state of the rule inside, a tree of zeros and a count of 0."""
        count = torch.zeros((), dtype=torch.int64, device=next(iter(params.values())).device)
        zeros = tree_map(torch.zeros_like, params)
        return {**self.optimizer.init(params), self.own[0]: zeros, self.own[1]: {"": count}}

    def inner(self, opt: OptState) -> OptState:
        """The part of the state that is the rule's."""
        return {part: leaves for part, leaves in opt.items() if part not in self.own}


class Accumulated(_WithTree):
    """A rule that moves after every `batches` batches only, by the mean of their gradients.

    Steps, schedules and durations go on counting batches; the learning rate is that of the batch at which the rule
    moves. Gradients of a weight that pruning removes in between are dropped. BatchNorm sees batch by batch. A stack
    takes the steps of one member after the other, and sparse layers are computed densely.

    optimizer: the rule that takes the step.
    batches: number of batches for one step.

    Source: the loop of torch's documentation in which loss / batches is differentiated so many times before `step`.
    """

    own: ClassVar[tuple[str, str]] = ("sum", "batches")
    batches: int = Field(ge=2)

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        part, counter = self.own
        total = {
            name: opt[part][name] + (grads[name] * keep[name] if name in keep else grads[name]) / self.batches
            for name in params
        }
        count, moved, inner = opt[counter][""] + 1, params, self.inner(opt)
        if int(count) % self.batches == 0:
            moved, inner = self.optimizer.update(total, inner, params, keep=keep, lr=lr)
            total = tree_map(torch.zeros_like, total)
        return moved, {**inner, part: total, counter: {"": count}}


AVERAGE, COUNT = "average", "averaged"
"""The average of the weights in the state of `Averaged`, and the number of its updates."""


class Averaged(_WithTree):
    """A rule that also keeps an average a of the parameters p: a = p after the first step, then d a + (1 - d) p.

    The average changes nothing in training. `UseAverage` puts it in the place of the weights, at the end of a run for
    example, and `AverageCurve` evaluates it during the run. Weights that pruning removes are removed from it, too.

    optimizer: the rule that takes the step.
    decay: d, in [0, 1).

    Source: Polyak and Juditsky 1992; torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay).
    """

    own: ClassVar[tuple[str, str]] = (AVERAGE, COUNT)
    elementwise = Wrapper.elementwise
    stackable = Wrapper.stackable
    decay: float = Field(default=0.999, ge=0, lt=1)

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        moved, state = self.optimizer.update(grads, self.inner(opt), params, keep=keep, lr=lr)
        count = opt[COUNT][""]
        share = 1.0 - self.decay * (count > 0).double()
        average = {name: opt[AVERAGE][name].lerp(leaf, along(share, leaf)) for name, leaf in moved.items()}
        return moved, {**state, AVERAGE: average, COUNT: {"": count + 1}}


class Clipped(Wrapper):
    """A rule that is given smaller gradients where they are large.

    With the gradient g of the kept weights, entry by entry first clamp(g, -value, value), then as one vector
    g * min(1, norm / (|g| + 1e-6)).

    optimizer: the rule that takes the step.
    norm: the largest Euclidean norm of the gradient over all parameters, nats per unit of weight; None is no limit.
    value: the largest magnitude of an entry; None is no limit.

    Source: Pascanu et al. 2013, section 3.2; torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
    """

    elementwise = Wrapper.elementwise  # removed weights do not count in the norm
    norm: float | None = Field(default=None, gt=0)
    value: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _clips(self) -> Self:
        if self.norm is None and self.value is None:
            raise ValueError("Clipped without a limit changes nothing; give norm or value")
        return self

    @property
    def stackable(self) -> bool:  # type: ignore[override]  # every member has a norm of its own
        """See `Optimizer`."""
        return self.norm is None and self.optimizer.stackable

    def update(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> Moved:
        """See `Optimizer.update`."""
        return self.optimizer.update(self._clipped(grads, keep), opt, params, keep=keep, lr=lr)

    def update_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.update_`."""
        self.optimizer.update_(self._clipped(grads, keep), opt, params, keep=keep, lr=lr)

    def fused_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.fused_`."""
        self.optimizer.fused_(self._clipped(grads, keep), opt, params, keep=keep, lr=lr)

    def _clipped(self, grads: Tree, keep: Tree) -> Tree:
        """The gradients of kept weights within the limits; those of removed weights are 0."""
        kept = {name: grad * keep[name] if name in keep else grad for name, grad in grads.items()}
        if self.value is not None:
            kept = {name: grad.clamp(-self.value, self.value) for name, grad in kept.items()}
        if self.norm is not None and kept:
            norms = torch.stack([torch.linalg.vector_norm(grad) for grad in kept.values()])
            scale = (self.norm / (torch.linalg.vector_norm(norms) + 1e-6)).clamp(max=1.0)
            kept = {name: grad * scale for name, grad in kept.items()}
        return kept


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
    def _fits(self) -> Self:
        decays = any(group.weight_decay is not None for group in self.groups)
        if decays and "weight_decay" not in type(self.optimizer).model_fields:
            raise ValueError(
                f"{type(self.optimizer).__name__} has no weight_decay that a group could change; "
                "put Grouped around the rule itself, and other wrappers around Grouped"
            )
        inner = self.optimizer
        while isinstance(inner, Wrapper):
            if isinstance(inner, Clipped) and inner.norm is not None:
                raise ValueError("the norm that Clipped looks at would be that of each group; put it around Grouped")
            inner = inner.optimizer
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
