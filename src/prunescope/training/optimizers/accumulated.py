"""Gradient accumulation: one step of the optimizer for the gradients of several batches."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.tree import Tree
from prunescope.training.optim import OptState
from prunescope.training.optimizers.wrapper import Wrapper

SUM, COUNT = "sum", "batches"
"""Gradients that have not been used yet, and the number of batches so far."""


class Accumulated(Wrapper):
    """A rule that moves after every `batches` batches only, by the mean of their gradients.

    Steps, schedules and durations go on counting batches; the learning rate is that of the batch at which the rule
    moves. Gradients of a weight that pruning removes in between are dropped. BatchNorm sees batch by batch. A stack
    takes the steps of one member after the other, and sparse layers are computed densely.

    optimizer: the rule that takes the step.
    batches: number of batches for one step.

    Source: the loop of torch's documentation in which loss / batches is differentiated so many times before `step`.
    """

    batches: int = Field(ge=2)

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # those of the rule, and the sum
        """See `Optimizer`."""
        return (*self.optimizer.slots, SUM)

    def init(self, params: Tree) -> OptState:
        """The state of the rule, and no gradients."""
        count = torch.zeros((), dtype=torch.int64, device=next(iter(params.values())).device)
        total = {name: torch.zeros_like(leaf) for name, leaf in params.items()}
        return {**self.optimizer.init(params), SUM: total, COUNT: {"": count}}

    def update(
        self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor
    ) -> tuple[Tree, OptState]:
        """See `Optimizer.update`."""
        inner = {part: leaves for part, leaves in opt.items() if part not in (SUM, COUNT)}
        total = {
            name: opt[SUM][name] + (grads[name] * keep[name] if name in keep else grads[name]) / self.batches
            for name in params
        }
        count = opt[COUNT][""] + 1
        moves = int(count) % self.batches == 0
        moved = params
        if moves:
            moved, inner = self.optimizer.update(total, inner, params, keep=keep, lr=lr)
            total = {name: torch.zeros_like(leaf) for name, leaf in total.items()}
        return moved, {**inner, SUM: total, COUNT: {"": count}}
