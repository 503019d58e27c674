"""The batches of a stack: [R, B, ...] at every step."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from prunescope.training.engines.stacked.modules import features_first, split_axis, without
from prunescope.training.loop import Stepper


class StackedBatches:
    """The training batches of several members, which stand at the same place of their epochs.

    Where the members share their examples, one gather from the one copy serves all of them; every augmentation changes
    the images of each member as it would alone.
    """

    def __init__(self, steppers: Sequence[Stepper], steps: Sequence[int]) -> None:
        """steps: the cumulative step of each member."""
        self.steppers, self.steps = list(steppers), list(steps)
        first = steppers[0]
        self.epoch_steps, self.batch = first.batches.epoch_steps, first.program.batch
        splits = [stepper.batches.split for stepper in steppers]
        self.shared = all(split.inputs is splits[0].inputs for split in splits)
        self.augmentation = first.program.problem.augmentation
        self.whole: tuple[Tensor, Tensor] | None = None
        if first.batches.whole and not self.augmentation:
            x, y = self._taken(self.steps)
            if 2 < x.ndim < 5:  # no images: their features lie first, as linear layers take them at every step
                columns = features_first(x).contiguous()
                x = split_axis(columns.transpose(1, 2), 1, x.shape[1:-1])
            self.whole = x, y
        self._epoch: list[int] = []
        self._rows, self._labels = torch.empty(0), torch.empty(0)

    def next(self) -> tuple[Tensor, Tensor]:
        """Inputs [R, B, ...] and labels [R, B] of every member's present step; moves on by one step."""
        steps, self.steps = self.steps, [step + 1 for step in self.steps]
        if self.whole is not None:
            return self.whole
        x, y = self._taken(steps)
        for number, augmentation in enumerate(self.augmentation):
            members = zip(x, self.steppers, steps, strict=True)
            x = torch.stack(
                [
                    augmentation.changed(images, stepper.augmentation_stream(number, step))
                    for images, stepper, step in members
                ]
            )
        return x, y

    def _taken(self, steps: list[int]) -> tuple[Tensor, Tensor]:
        """The examples of these steps as they are."""
        if self.steppers[0].batches.whole or not self.shared:
            parts = [stepper.batches.at(step) for stepper, step in zip(self.steppers, steps, strict=True)]
            return torch.stack([x for x, _ in parts]), torch.stack([y for _, y in parts])
        epochs = [step // self.epoch_steps for step in steps]
        if epochs != self._epoch:
            self._shuffle(epochs)
        here = steps[0] % self.epoch_steps * self.batch
        rows, y = self._rows[:, here : here + self.batch], self._labels[:, here : here + self.batch]
        x = self.steppers[0].batches.split.inputs.take(rows.flatten())
        return x.view(*rows.shape, *x.shape[1:]), y

    def draws(self) -> list[int]:
        """Under which seed each member's network draws in the pass over the batch that was given out last."""
        return [stepper.draw(step - 1) for stepper, step in zip(self.steppers, self.steps, strict=True)]

    def _shuffle(self, epochs: list[int]) -> None:
        """Where the examples of a whole epoch lie, and their labels, in order: [R, N]."""
        orders = [stepper.batches.order(epoch) for stepper, epoch in zip(self.steppers, epochs, strict=True)]
        splits = [stepper.batches.split for stepper in self.steppers]
        self._rows = torch.stack([split.index[order] for split, order in zip(splits, orders, strict=True)])
        self._labels = torch.stack([split.y[order] for split, order in zip(splits, orders, strict=True)])
        self._epoch = epochs

    def drop(self, row: int) -> None:
        """Without a member, whose place the last one takes."""
        lists: tuple[list[Any], ...] = (self.steppers, self.steps, self._epoch)
        for members in lists:
            if members:
                members[row] = members[-1]
                members.pop()
        if self.whole is not None:
            self.whole = without(self.whole[0], row), without(self.whole[1], row)
        elif len(self._rows):
            self._rows, self._labels = without(self._rows, row), without(self._labels, row)
