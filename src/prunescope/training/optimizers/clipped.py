"""Gradient clipping."""

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.tree import Tree
from prunescope.training.optim import OptState
from prunescope.training.optimizers.wrapper import Wrapper


class Clipped(Wrapper):
    """A rule that is given smaller gradients where they are large.

    With the gradient g of the kept weights, entry by entry first clamp(g, -value, value), then as one vector
    g * min(1, norm / (|g| + 1e-6)).

    optimizer: the rule that takes the step.
    norm: the largest Euclidean norm of the gradient over all parameters, nats per unit of weight; None is no limit.
    value: the largest magnitude of an entry; None is no limit.

    Source: Pascanu et al. 2013, section 3.2; torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
    """

    norm: float | None = Field(default=None, gt=0)
    value: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _clips(self) -> Self:
        if self.norm is None and self.value is None:
            raise ValueError("Clipped without a limit changes nothing; give norm or value")
        return self

    @property
    def elementwise(self) -> bool:  # type: ignore[override]  # removed weights do not count in the norm
        """See `Optimizer`."""
        return self.optimizer.elementwise

    @property
    def stackable(self) -> bool:  # type: ignore[override]  # every member has a norm of its own
        """See `Optimizer`."""
        return self.norm is None and self.optimizer.stackable

    def update(
        self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor
    ) -> tuple[Tree, OptState]:
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
