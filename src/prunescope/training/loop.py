"""What one training step of one replica is.

Belongs here: batches, gradients, the step. Does not belong here: when anything else happens (`run.py`), how
several replicas share a machine (`engines/`).
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds, derived, stream
from prunescope.base.tree import Tree
from prunescope.tasks.task import Problem, Split
from prunescope.training.interventions.intervention import Intervention
from prunescope.training.optim import Optimizer
from prunescope.training.schedules import Schedule
from prunescope.training.stopping import Stop

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Program:
    """Everything fixed that the training of one run needs.

    begin: schedule position of the first step. references: weights of other runs, by the id of the reference.
    """

    problem: Problem
    optimizer: Optimizer
    schedule: Schedule
    clock: Clock
    batch: int
    stop: Stop
    seeds: Seeds
    begin: int = 0
    precision: Precision = "float32"
    interventions: tuple[Intervention, ...] = ()
    references: Mapping[str, Weights] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The most steps that the run can take."""
        return self.clock.total - self.begin


class Batches:
    """The training batches of a run: a fresh permutation an epoch, keyed by the cumulative step.

    The last, smaller batch of an epoch is kept. A batch as large as the split is the split itself, in order.
    """

    def __init__(self, split: Split, batch: int, seeds: Seeds) -> None:
        """Draws nothing yet."""
        self.split, self.batch, self.seeds = split, batch, seeds
        self.epoch_steps = -(-len(split) // batch)
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)
        self._whole: tuple[Tensor, Tensor] | None = None
        self._placed: tuple[int, Tensor, Tensor] | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs [B, ...] and labels [B] of the cumulative step `step`."""
        if self._whole is not None:
            return self._whole
        index, y = self.places(step)
        batch = self.split.inputs.take(index), y
        if self.epoch_steps == 1:
            self._whole = batch
        return batch

    def places(self, step: int) -> tuple[Tensor, Tensor]:
        """Where the step's examples lie among the split's inputs, int64 [B], and their labels [B].

        Looked up for a whole epoch at once, in order of use, which costs less than a batch at a time.
        """
        if self.epoch_steps == 1:
            return self.split.index, self.split.y
        position = step % self.epoch_steps
        batch = slice(position * self.batch, (position + 1) * self.batch)
        index, y = self._in_order(step // self.epoch_steps)
        return index[batch], y[batch]

    def several(self, step: int, most: int) -> tuple[Tensor, Tensor]:
        """The same of at most so many steps, [n, B] both: of those of this epoch with batches as large as the step's.

        Only where an epoch is more than one batch.
        """
        epoch, position = divmod(step, self.epoch_steps)
        start, whole = position * self.batch, len(self.split) // self.batch
        index, y = self._in_order(epoch)
        if position >= whole:
            return index[None, start:], y[None, start:]
        stop = min(position + most, whole) * self.batch
        return index[start:stop].view(-1, self.batch), y[start:stop].view(-1, self.batch)

    def _in_order(self, epoch: int) -> tuple[Tensor, Tensor]:
        if self._placed is None or self._placed[0] != epoch:
            order = self.order(epoch)
            self._placed = epoch, self.split.index.index_select(0, order), self.split.y.index_select(0, order)
        return self._placed[1], self._placed[2]

    def order(self, epoch: int) -> Tensor:
        """The rows of the split in the order of an epoch, int64 [N], on its device; counted from the first ancestor."""
        if epoch != self._epoch:
            order = torch.randperm(len(self.split), generator=stream(self.seeds.order, "order", epoch))
            self._epoch, self._order = epoch, order.to(self.split.y.device)
        return self._order


def keep_tree(state: TrainState) -> Tree:
    """Float masks of what may move, 1 where kept and not held; a fully kept tensor has no entry."""
    return {
        name: free.to(state.weights.params[name].dtype)
        for name, free in state.movable.items()
        if not bool(free.all())
    }


def gradients(
    program: Program,
    weights: Weights,
    x: Tensor,
    y: Tensor,
    *,
    draw: int = 0,
    capture: frozenset[str] = frozenset(),
) -> tuple[Tensor, Tree, Tree, Tree]:
    """Mean loss (0-D, nats), its gradient for every parameter, moved buffers, and captured outputs.

    The gradient is dense: masks enter in the update. draw: seed of what the network itself draws (dropout).
    capture: names of modules whose outputs are wanted.
    """
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in weights.params.items()}
    low = program.precision == "bfloat16"
    with torch.autocast(x.device.type, torch.bfloat16) if low else nullcontext():
        logits, buffers, captured = program.problem.model.observe(
            leaves, weights.buffers, x, names=capture, draw=draw
        )
        loss = program.problem.loss(logits.float() if low else logits, y).mean()
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    dense = {
        name: torch.zeros_like(leaf) if grad is None else grad
        for (name, leaf), grad in zip(leaves.items(), grads, strict=True)
    }
    return loss.detach(), dense, buffers, captured


class Stepper:
    """One training step after another for one replica; caches only what follows from the state and program."""

    def __init__(self, program: Program) -> None:
        """Prepares the batches."""
        self.program = program
        self.batches = Batches(program.problem.train, program.batch, program.seeds)
        self._masks: object = None
        self._held: object = None
        self._keep: Tree = {}

    def keep(self, state: TrainState) -> Tree:
        """`keep_tree`, computed anew only when an intervention exchanged the masks."""
        if state.weights.masks is not self._masks or state.held is not self._held:
            self._masks, self._held, self._keep = state.weights.masks, state.held, keep_tree(state)
        return self._keep

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The augmented training batch of the cumulative step `step`."""
        x, y = self.batches.at(step)
        for number, augmentation in enumerate(self.program.problem.augmentation):
            x = augmentation(x, self.augmentation_stream(number, step))
        return x, y

    def augmenting(self, number: int, step: int) -> torch.Generator:
        """What the augmentation `number` draws from for the batch of the cumulative step `step`.

        On the CPU wherever the images are, so that every device sees the same crops.
        """
        return stream(self.program.seeds.order, "augmentation", number, step)

    def draw(self, step: int) -> int:
        """The seed of what the network draws in the training pass of the cumulative step `step`."""
        return derived(self.program.seeds.order, "forward", step)

    def step(
        self, state: TrainState, *, capture: frozenset[str] = frozenset()
    ) -> tuple[TrainState, Tensor, Tree]:
        """The state one step on, the batch's mean loss before it (0-D, nats), and captured outputs.

        Masked and held weights are exactly 0 afterwards. `state` is left alone.
        """
        program, weights = self.program, state.weights
        x, y = self.batch(state.step)
        draw = self.draw(state.step)
        loss, grads, buffers, captured = gradients(program, weights, x, y, draw=draw, capture=capture)
        rate = program.schedule.at(state.schedule_step, program.clock)
        params, opt = program.optimizer.update(
            grads, state.opt, weights.params, keep=self.keep(state), lr=rate
        )
        moved = TrainState(
            step=state.step + 1,
            schedule_step=state.schedule_step + 1,
            weights=Weights(params, buffers, weights.masks),
            opt=opt,
            memory=state.memory,
            held=state.held,
        )
        return moved, loss, captured
