"""One training step of one replica.

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
from prunescope.base.tree import Tree, leaves_of, slope
from prunescope.tasks.task import Problem, Split
from prunescope.training.interventions.intervention import Intervention
from prunescope.training.moved import moved
from prunescope.training.optim import Optimizer
from prunescope.training.samplers import Sampler, checked_rows
from prunescope.training.schedules import Schedule
from prunescope.training.stopping import Stop

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Program:
    """Everything that stays fixed while one run trains.

    problem: the task in memory.
    optimizer: the update rule.
    schedule: the learning rate by position.
    clock: converts durations; its total is the length of the schedule.
    batch: examples in a batch.
    stop: the rule that ends the run before the end of its schedule.
    seeds: the seeds of all draws.
    begin: position in the schedule of the first step.
    precision: number format of the passes; parameters are always float32.
    interventions: weight changes between steps, in declaration order.
    references: weights of states of other runs, by the id of the reference.
    drop_last: whether an epoch leaves out its last batch where that would be smaller than the others.
    sampler: which examples an epoch sees; None stands for each once.
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
    drop_last: bool = False
    sampler: Sampler | None = None

    @property
    def steps(self) -> int:
        """The most steps that the run can take."""
        return self.clock.total - self.begin


def steps_an_epoch(examples: int, batch: int, *, drop_last: bool) -> int:
    """The number of batches of one epoch: a last one that is smaller counts, or is dropped.

    >>> steps_an_epoch(97, 16, drop_last=False), steps_an_epoch(97, 16, drop_last=True)
    (7, 6)
    """
    return examples // batch if drop_last else -(-examples // batch)


class Batches:
    """The training batches of a run: a fresh permutation or sample in every epoch, keyed by the cumulative step.

    The last batch of an epoch may be smaller, or is dropped. Without a sampler a batch as large as the split is the
    split itself, in order.

    whole: whether every batch is the whole split.
    """

    def __init__(
        self, split: Split, batch: int, seeds: Seeds, *, drop_last: bool = False, sampler: Sampler | None = None
    ) -> None:
        self.split, self.batch, self.seeds, self.sampler = split, batch, seeds, sampler
        self.epoch_steps = steps_an_epoch(len(split), batch, drop_last=drop_last)
        self.whole = batch >= len(split) and sampler is None
        self._only_batch: tuple[Tensor, Tensor] | None = None
        self._shuffled: tuple[int, Tensor, Tensor] | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs [B, ...] and labels [B] of the cumulative step `step`."""
        if self._only_batch is not None:
            return self._only_batch
        index, y = self.indices(step)
        batch = self.split.inputs.take(index), y
        if self.whole:
            self._only_batch = batch
        return batch

    def indices(self, step: int) -> tuple[Tensor, Tensor]:
        """The positions of the step's examples among the split's inputs, int64 [B], and their labels [B]."""
        if self.whole:
            return self.split.index, self.split.y
        position = step % self.epoch_steps
        batch = slice(position * self.batch, (position + 1) * self.batch)
        index, y = self._shuffle(step // self.epoch_steps)
        return index[batch], y[batch]

    def next_indices(self, step: int, most: int) -> tuple[Tensor, Tensor]:
        """The `indices` of n consecutive steps from `step` on, [n, B] both; where a batch is not the whole split.

        n is at most `most`; the steps are of one epoch, and their batches have one size.
        """
        epoch, position = divmod(step, self.epoch_steps)
        start, full_batches = position * self.batch, len(self.split) // self.batch
        index, y = self._shuffle(epoch)
        if position >= full_batches:
            return index[None, start:], y[None, start:]
        stop = min(position + most, full_batches) * self.batch
        return index[start:stop].view(-1, self.batch), y[start:stop].view(-1, self.batch)

    def _shuffle(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Positions and labels of an epoch, in order of use; this costs less than a look-up for every batch."""
        if self._shuffled is None or self._shuffled[0] != epoch:
            order = self.order(epoch)
            self._shuffled = (epoch, self.split.index.index_select(0, order), self.split.y.index_select(0, order))
        return self._shuffled[1:]

    def order(self, epoch: int) -> Tensor:
        """The rows of the split, int64 [N], in the order of an epoch, which counts from the first ancestor."""
        draws = stream(self.seeds.order, "order", epoch)
        if self.sampler is None:
            order = torch.randperm(len(self.split), generator=draws)
        else:
            order = checked_rows(self.sampler, self.split.y.cpu(), draws)
        return order.to(self.split.y.device)


def gradients(
    program: Program, weights: Weights, x: Tensor, y: Tensor, *, draw: int = 0, capture: frozenset[str] = frozenset()
) -> tuple[Tensor, Tree, Tree, Tree]:
    """Mean loss (0-D, nats), its gradient for every parameter, buffers after the pass, and captured outputs.

    The gradient is dense, as masks enter in the update.

    draw: seed of the network's own draws (dropout).
    capture: names of the modules whose outputs are captured.
    """
    leaves = leaves_of(weights.params)
    low = program.precision == "bfloat16"
    with torch.autocast(x.device.type, torch.bfloat16) if low else nullcontext():
        logits, buffers, captured = program.problem.model.observe(leaves, weights.buffers, x, names=capture, draw=draw)
        loss = program.problem.loss(logits.float() if low else logits, y).mean()
    return loss.detach(), slope(loss, leaves), buffers, captured


class Stepper:
    """Takes the training steps of one replica; it caches only what follows from the state and the program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.batches = Batches(
            program.problem.train, program.batch, program.seeds, drop_last=program.drop_last, sampler=program.sampler
        )
        self._masks: object = None
        self._held: object = None
        self._keep: Tree = {}

    def keep(self, state: TrainState) -> Tree:
        """Masks in the dtype of the parameters, 1 = kept and not held; a tensor that is free everywhere has no entry.

        They are computed anew only when an intervention has exchanged masks or holds.
        """
        if state.weights.masks is not self._masks or state.held is not self._held:
            params, movable = state.weights.params, state.movable
            self._keep = {name: free.to(params[name].dtype) for name, free in movable.items() if not bool(free.all())}
            self._masks, self._held = state.weights.masks, state.held
        return self._keep

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The augmented training batch of the cumulative step `step`."""
        x, y = self.batches.at(step)
        for number, augmentation in enumerate(self.program.problem.augmentation):
            x = augmentation.changed(x, self.augmentation_stream(number, step))
        return x, y

    def augmentation_stream(self, number: int, step: int) -> torch.Generator:
        """The generator of the augmentation `number` for the batch of the cumulative step `step`.

        It is on the CPU wherever the images are, so that every device sees the same crops.
        """
        return stream(self.program.seeds.order, "augmentation", number, step)

    def draw(self, step: int) -> int:
        """The seed of the network's own draws in the training pass of the cumulative step `step`."""
        return derived(self.program.seeds.order, "forward", step)

    def step(self, state: TrainState, *, capture: frozenset[str] = frozenset()) -> tuple[TrainState, Tensor, Tree]:
        """The state after one step, the mean loss of the batch before it (0-D, nats), and captured outputs.

        Removed and held weights are exactly 0 afterwards. `state` is not changed.
        """
        program, weights = self.program, state.weights
        x, y = self.batch(state.step)
        draw = self.draw(state.step)
        loss, grads, buffers, captured = gradients(program, weights, x, y, draw=draw, capture=capture)
        rate = program.schedule.at(state.schedule_step, program.clock)
        params, opt = moved(program.optimizer, grads, state.opt, weights.params, keep=self.keep(state), lr=rate)
        after = state.replace(
            step=state.step + 1,
            schedule_step=state.schedule_step + 1,
            weights=Weights(params, buffers, weights.masks),
            opt=opt,
        )
        return after, loss, captured
