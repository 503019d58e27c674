"""Optimizers around another optimizer: accumulated gradients, an average of the weights, clipped gradients."""

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from pydantic import Field, SerializeAsAny, model_validator
from torch import Tensor

from prunescope.base.tree import Tree
from prunescope.training.optim import Moved, Optimizer, OptState, along


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
        zeros = {name: torch.zeros_like(leaf) for name, leaf in params.items()}
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
            total = {name: torch.zeros_like(leaf) for name, leaf in total.items()}
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
        return self.optimizer.update(clipped(self, grads, keep), opt, params, keep=keep, lr=lr)

    def update_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.update_`."""
        self.optimizer.update_(clipped(self, grads, keep), opt, params, keep=keep, lr=lr)

    def fused_(self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor) -> None:
        """See `Optimizer.fused_`."""
        self.optimizer.fused_(clipped(self, grads, keep), opt, params, keep=keep, lr=lr)


def clipped(limits: Clipped, grads: Tree, keep: Tree) -> Tree:
    """The gradients of kept weights within the limits; those of removed weights are 0."""
    kept = {name: grad * keep[name] if name in keep else grad for name, grad in grads.items()}
    if limits.value is not None:
        kept = {name: grad.clamp(-limits.value, limits.value) for name, grad in kept.items()}
    if limits.norm is not None and kept:
        norms = torch.stack([torch.linalg.vector_norm(grad) for grad in kept.values()])
        scale = (limits.norm / (torch.linalg.vector_norm(norms) + 1e-6)).clamp(max=1.0)
        kept = {name: grad * scale for name, grad in kept.items()}
    return kept
