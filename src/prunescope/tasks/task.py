"""A task: a network, data and a loss, first as a value, then in memory.

Belongs here: putting the parts together and splitting the data. Does not belong here: how it is trained.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds, stream
from prunescope.base.value import Value
from prunescope.tasks.data import corruption
from prunescope.tasks.data.augmentation import Augmentation
from prunescope.tasks.data.source import Arrays, Inputs, Source
from prunescope.tasks.data.tensors import tensors
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.model import Model, Network, network_of, resolve

Loss = Callable[[Tensor, Tensor], Tensor]
CROSS_ENTROPY = "prunescope.tasks.losses:cross_entropy"


class Data(Value):
    """Which examples, with which labels, seen how.

    validation: examples held out of the training set, drawn by seeds.data.
    share: share of the rest that is used, drawn by seeds.data.
    label_noise: share of the training labels flipped to another class, drawn by seeds.labels.
    augmentation: applied to every training batch in order, drawn by seeds.order.
    """

    source: Source
    validation: int = Field(default=0, ge=0)
    share: float = Field(default=1.0, gt=0, le=1)
    label_noise: float = Field(default=0.0, ge=0, lt=1)
    augmentation: tuple[Augmentation, ...] = ()

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.validation >= self.source.train:
            raise ValueError(
                f"validation={self.validation} holds out all {self.source.train} training examples; use fewer"
            )
        return self


@dataclass(frozen=True)
class Split:
    """Some examples of a source.

    inputs: the source's examples; index: int64 [N], which of them; y: int64 [N], the labels used;
    clean: int64 [N], the labels before noise.
    """

    inputs: Inputs
    index: Tensor
    y: Tensor
    clean: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def noisy(self) -> Tensor:
        """Bool [N]: the examples whose label was flipped."""
        return self.y != self.clean

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [B, ...] and labels [B] of the given rows of this split, int64 [B]."""
        return self.inputs.take(self.index.index_select(0, rows)), self.y.index_select(0, rows)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self.inputs.take(self.index[start : start + size]), self.y[start : start + size]

    def at(self, rows: Tensor) -> "Split":
        """The split of only these rows, int64 [M]."""
        return Split(self.inputs, self.index[rows], self.y[rows], self.clean[rows])

    def to(self, device: str, inputs: Inputs | None = None) -> "Split":
        """The same split on a device. inputs: its examples, if they are there already."""
        if self.y.device == torch.device(device):
            return self
        there = self.inputs.to(device) if inputs is None else inputs
        return Split(there, self.index.to(device), self.y.to(device), self.clean.to(device))


class Task(Value):
    """What is learned, as a value: equal tasks have equal ids."""

    network: Network
    data: Data
    loss: str = CROSS_ENTROPY

    @classmethod
    def from_module(
        cls,
        factory: Callable[[], nn.Module] | nn.Module,
        *,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        loss: str = CROSS_ENTROPY,
        validation: int = 0,
        augmentation: tuple[Augmentation, ...] = (),
    ) -> Self:
        """The task of a user's own network on the user's own tensors.

        factory: returns a fresh module at each call; an instance means "as given": its weights start every
        replicate. train, test: inputs [N, ...] float and labels [N] int.
        """
        data = Data(source=tensors(train=train, test=test), validation=validation, augmentation=augmentation)
        return cls(network=network_of(factory), data=data, loss=loss)

    def load(self, seeds: Seeds, arrays: Arrays, *, model: Model | None = None) -> "Problem":
        """The task in memory under `seeds`, from the source's arrays (and a model built before)."""
        count, data = len(arrays.train_y), self.data
        everything = torch.arange(count)
        rest, held = corruption.hold_out(count, data.validation, generator=stream(seeds.data, "hold-out"))
        if data.share < 1:
            chosen = torch.randperm(len(rest), generator=stream(seeds.data, "share"))
            rest = rest[chosen[: max(1, round(data.share * len(rest)))].sort().values]
        clean = arrays.train_y[rest]
        noisy = corruption.flip_labels(
            clean, data.label_noise, classes=arrays.classes, generator=stream(seeds.labels, "label noise")
        )
        held_y = arrays.train_y[held]
        test = Split(arrays.test_x, torch.arange(len(arrays.test_y)), arrays.test_y, arrays.test_y)
        train = Split(arrays.train_x, everything[rest], noisy, clean)
        return Problem(
            model=model or Model(self.network),
            train=train,
            pool=train,
            validation=Split(arrays.train_x, everything[held], held_y, held_y),
            test=test,
            loss=resolve(self.loss),
            augmentation=data.augmentation,
            classes=arrays.classes,
        )


@dataclass(frozen=True)
class Problem:
    """A task in memory: what the loop and the measures work on.

    pool: the training split before a subset of it was taken; equal to `train` where none was.
    """

    model: Model
    train: Split
    pool: Split
    validation: Split
    test: Split
    loss: Loss
    augmentation: tuple[Augmentation, ...]
    classes: int
    kernels: Kernels = PLAIN

    def restricted(self, rows: Tensor) -> "Problem":
        """The same problem with only these rows of its training split, int64 [M]."""
        return replace(self, train=self.train.at(rows))

    def to(self, device: str, there: Arrays | None = None) -> "Problem":
        """The same problem with its data on a device. there: the arrays that it was loaded from, if they are there.

        Splits of the same examples share one copy.
        """
        copies: dict[int, Inputs] = {}
        if there is not None:
            copies = {id(self.train.inputs): there.train_x, id(self.test.inputs): there.test_x}

        def moved(split: Split) -> Split:
            on_device = split.to(device, copies.get(id(split.inputs)))
            copies[id(split.inputs)] = on_device.inputs
            return on_device

        train, pool, validation, test = map(moved, (self.train, self.pool, self.validation, self.test))
        return replace(self, train=train, pool=pool, validation=validation, test=test)

    def split(self, name: str) -> Split:
        """The split called "train", "validation" or "test".

        Raises UsageError for another name, and for a validation split that holds nothing.
        """
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise UsageError(f"there is no split {name!r}; it is one of {', '.join(splits)}")
        if len(splits[name]) == 0:
            raise UsageError(
                f"the {name} split is empty; set validation=N in the task's data to hold some out"
            )
        return splits[name]
