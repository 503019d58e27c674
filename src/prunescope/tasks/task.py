"""A task: a network, data and a loss, first as a value, then in memory.

Belongs here: combining the parts and splitting the data. Does not belong here: how it is trained.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, JsonValue, SerializeAsAny, model_validator
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.importing import Importing, is_local, named, resolve
from prunescope.base.streams import Seeds, stream
from prunescope.base.value import Value, canonical
from prunescope.tasks.data import corruption
from prunescope.tasks.data.augmentation import Augmentation
from prunescope.tasks.data.source import Arrays, Inputs, Lent, Source
from prunescope.tasks.data.tensors import Names, own
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.losses import Loss, LossWithArguments
from prunescope.tasks.model import Model
from prunescope.tasks.network import Network, Prunable, network_of, with_prunable
from prunescope.tasks.targets import CROSS_ENTROPY, Classes, Target

CLASSES = Classes()
"""What the labels of a task are unless it says otherwise."""


class Data(Value):
    """The examples of a task, their labels, and how a network sees them.

    source: where the examples come from.
    validation: number of training examples that are held out, drawn by seeds.data.
    share: share of the other training examples that is used, drawn by seeds.data.
    label_noise: share of the training labels that are flipped to another class, drawn by seeds.labels.
    augmentation: changes of every training batch, in order, drawn by seeds.order.
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

    @property
    def train_examples(self) -> int:
        """Number of training examples that are neither held out nor left out."""
        return max(1, round(self.share * (self.source.train - self.validation)))

    def rows(self, seeds: Seeds) -> tuple[Tensor, Tensor]:
        """Positions in the source's training set, int64, ascending: of the examples trained on, of those held out."""
        rows, held_out = corruption.hold_out(
            self.source.train, self.validation, generator=stream(seeds.data, "hold-out")
        )
        if self.share < 1:
            order = torch.randperm(len(rows), generator=stream(seeds.data, "share"))
            rows = rows[order[: self.train_examples].sort().values]
        return rows, held_out

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of examples by split."""
        return {"train": self.train_examples, "validation": self.validation, "test": self.source.test}


@dataclass(frozen=True)
class Split:
    """Some examples of a source.

    inputs: all examples of the source's training or test set.
    index: positions of the split's examples among them, int64 [N].
    y: labels used, int64 [N]; [N, ...] for other targets than classes.
    clean: labels before noise, likewise.
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
        return (self.y != self.clean).reshape(len(self), -1).any(1)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [B, ...] and labels [B] of the given rows of this split, int64 [B]."""
        return self.inputs.take(self.index.index_select(0, rows)), self.y.index_select(0, rows)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield self.inputs.take(self.index[start : start + size]), self.y[start : start + size]

    def at(self, rows: Tensor) -> "Split":
        """The split that has these rows only, int64 [M]."""
        return Split(self.inputs, self.index[rows], self.y[rows], self.clean[rows])

    def to(self, device: str, inputs: Inputs | None = None) -> "Split":
        """The same split on a device. inputs: its examples, if they are on the device already."""
        if self.y.device == torch.device(device):
            return self
        inputs = self.inputs.to(device) if inputs is None else inputs
        return Split(inputs, self.index.to(device), self.y.to(device), self.clean.to(device))


class Task(Importing):
    """What is learned, as a value; equal tasks have equal ids.

    network: the network by import path and arguments.
    data: the examples and their labels.
    loss: a function (outputs [N, ...], y [N, ...]) -> loss [N], kept as its import path; that of the target if it is
        left out.
    loss_args: its other arguments, by keyword; the loss is the same in training and wherever it is measured.
    target: what the labels are, and how outputs are judged by them.
    """

    added: ClassVar[frozenset[str]] = frozenset({"loss_args", "target"})
    path_field: ClassVar[str] = "loss"

    network: Network
    data: Data
    loss: str = CROSS_ENTROPY
    loss_args: dict[str, JsonValue] = {}
    target: SerializeAsAny[Target] = CLASSES

    @model_validator(mode="before")
    @classmethod
    def _loss_by_path(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and isinstance(fields.get("target"), Target):
            fields = {"loss": fields["target"].loss, **fields}
        if isinstance(fields, dict) and not isinstance(fields.get("loss", ""), str):
            path, arguments = named(fields["loss"])
            args = {**arguments, **fields.get("loss_args", {})}
            fields = {**fields, "loss": path, "loss_args": args}
        return fields

    @model_validator(mode="after")
    def _noise_fits(self) -> Self:
        if self.data.label_noise:
            self.target.require_classes("label noise")
        if self.network.layout is not None and self.data.augmentation:
            raise UsageError(
                f"{type(self.data.augmentation[0]).__name__} changes images, and these examples are tokens or several "
                "parts; leave augmentation out"
            )
        return self

    @classmethod
    def from_module(
        cls,
        factory: Callable[[], nn.Module] | nn.Module | str,
        *,
        train: Any,
        test: Any,
        target: Target = CLASSES,
        loss: str | Loss | None = None,
        loss_args: Mapping[str, JsonValue] | None = None,
        classes: int | None = None,
        class_names: Names | None = None,
        groups: Mapping[str, Any] | None = None,
        weights: Any = None,
        validation: int = 0,
        augmentation: tuple[Augmentation, ...] = (),
        prunable: Prunable | None = None,
        output: int | str | None = None,
        revision: int = 1,
    ) -> Self:
        """The task of a user's own network on the user's own data.

        factory: returns a fresh module at each call, or its import path; an instance's weights start every replicate.
        train, test: (x, y), a Dataset, a DataLoader, or a dataset of Hugging Face; see `tasks/data/tensors.own`.
        target: what y is: Classes(), Binary(), MultiLabel(), Regression() or Sequence().
        loss: a function (outputs [N, ...], y [N, ...]) -> loss [N], or its import path; None stands for the target's.
        loss_args: its other arguments, by keyword.
        classes, class_names: how many classes there are, and their names; a mapping maps labels to 0, 1, ... as well.
        groups: columns of one's own by name, each a pair (train, test) of a group an example.
        weights: of the training examples, [N]; see `Weighted`.
        prunable: names or patterns of the tensors that pruning may remove entries of, or a function of name and tensor
            that returns a bool; by default every weight matrix and kernel.
        output: member of what the network returns that is the logits, where it returns no tensor.
        revision: a number to raise for results of their own where code changed unseen, in an installed package.
        """
        if train is None:
            raise UsageError("there are no training examples; give train=(x, y)")
        names = {"classes": classes, "class_names": class_names, "groups": groups, "weights": weights}
        source, layout, target = own(train, test, target=target, **names)
        example = source.load().train_x.take(torch.arange(2)) if callable(prunable) else None
        network = network_of(factory, revision=revision, output=output)
        if layout is not None:
            network = network.replace(layout=layout)
        network = with_prunable(network, prunable, example)
        data = Data(source=source, validation=validation, augmentation=augmentation)
        fields: dict[str, Any] = {"loss": target.loss if loss is None else loss, "loss_args": dict(loss_args or {})}
        return cls(network=network, data=data, target=target, **fields)

    @property
    def local(self) -> str | None:
        """What only this process can make: the network's path or the loss's; None where others can make both."""
        return self.network.path if self.network.local else self.loss if is_local(self.loss) else None

    def load(self, seeds: Seeds, arrays: Arrays, *, model: Model | None = None) -> "Problem":
        """The task in memory under `seeds`.

        arrays: of the source.
        model: the network, if it was built before.
        """
        data = self.data
        rows, held_out = data.rows(seeds)
        clean = arrays.train_y[rows]
        for name, y in (("train", arrays.train_y), ("test", arrays.test_y)):
            self.target.check(y, name=name)
        noisy = self.target.flipped(
            clean, data.label_noise, classes=arrays.classes, generator=stream(seeds.labels, "label noise")
        )
        held_out_y = arrays.train_y[held_out]
        test = Split(arrays.test_x, torch.arange(len(arrays.test_y)), arrays.test_y, arrays.test_y)
        train = Split(arrays.train_x, rows, noisy, clean)
        return Problem(
            model=model or Model(self.network, test.batch(torch.arange(min(2, len(test))))[0]),
            train=train,
            pool=train,
            validation=Split(arrays.train_x, held_out, held_out_y, held_out_y),
            test=test,
            loss=self.target.bound(
                LossWithArguments(self.loss, canonical(self.loss_args)) if self.loss_args else resolve(self.loss)
            ),
            augmentation=data.augmentation,
            classes=arrays.classes,
            target=self.target,
        )


@dataclass(frozen=True)
class Problem:
    """A task in memory.

    model: the network as pure functions.
    train, validation, test: the splits.
    pool: the training split before a subset of it was taken; equal to `train` where none was.
    loss: function (logits [N, C], y [N]) -> loss [N].
    augmentation: changes of every training batch, in order.
    classes: number of classes C.
    target: what the labels are.
    kernels: how linear layers are computed; it changes results by rounding only.
    beat: called now and then by what takes long, such as a pass over many examples, to say that it goes on; whoever has
        work stopped lets it raise.
    """

    model: Model
    train: Split
    pool: Split
    validation: Split
    test: Split
    loss: Loss
    augmentation: tuple[Augmentation, ...]
    classes: int
    target: Target = CLASSES
    kernels: Kernels = PLAIN
    beat: Callable[[], None] = field(default=lambda: None, compare=False)

    def apart(self) -> "Problem":
        """The same with a network, labels and examples of its own, for code that may leave hooks or work in place."""

        def own(split: Split) -> Split:
            return Split(Lent(split.inputs), split.index.clone(), split.y.clone(), split.clean.clone())

        train, pool, validation, test = map(own, (self.train, self.pool, self.validation, self.test))
        return replace(self, model=self.model.copy(), train=train, pool=pool, validation=validation, test=test)

    def restricted(self, rows: Tensor) -> "Problem":
        """The same problem with only these rows of its training split, int64 [M]."""
        return replace(self, train=self.train.at(rows))

    def to(self, device: str, arrays: Arrays | None = None) -> "Problem":
        """The same problem with its data on a device; splits of the same examples share one copy.

        arrays: those that the problem was loaded from, if they are on the device already.
        """
        copies: dict[int, Inputs] = {}
        if arrays is not None:
            copies = {id(self.train.inputs): arrays.train_x, id(self.test.inputs): arrays.test_x}

        def on_device(split: Split) -> Split:
            copy = split.to(device, copies.get(id(split.inputs)))
            copies[id(split.inputs)] = copy.inputs
            return copy

        train, pool, validation, test = map(on_device, (self.train, self.pool, self.validation, self.test))
        return replace(self, train=train, pool=pool, validation=validation, test=test)

    def split(self, name: str) -> Split:
        """The split called "train", "validation" or "test".

        Raises UsageError for another name, and for a split without examples.
        """
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise UsageError(f"there is no split {name!r}; it is one of {', '.join(splits)}")
        if len(splits[name]) == 0:
            raise UsageError(f"the {name} split is empty; set validation=N in the task's data to hold some out")
        return splits[name]
