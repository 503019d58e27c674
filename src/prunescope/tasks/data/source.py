"""The interface of data sources, and the examples that they yield.

Belongs here: the interface, examples in memory, normalization, and the check that the content is the one that a
recipe names. Does not belong here: file formats (`idx`, `cifar`, `images`), folders and downloads (`files`), splits
and label noise (`corruption`).
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple, Protocol, Self

import torch
from pydantic import Field, StringConstraints, model_validator
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.value import Value, array_digest

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 bits of content digest, as 32 hexadecimal digits."""


def are_images(shape: tuple[int, ...]) -> bool:
    """Whether examples of a shape are pictures: [1 or 3, height, width]."""
    return len(shape) == 3 and shape[0] in (1, 3)


class Inputs(Protocol):
    """Examples that can be taken by index, from memory or from files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, e.g. (1, 28, 28)."""

    def __len__(self) -> int:
        """The number of examples."""

    def take(self, index: Tensor) -> Tensor:
        """The examples at `index` (int64 [B]), normalized: float32 [B, *shape]."""

    def to(self, device: torch.device | str) -> Self:
        """The same examples, which `take` then returns on `device`."""


def same_inputs(one: Inputs, two: Inputs) -> bool:
    """Whether two sets of examples are equal, in their order."""
    places = torch.split(torch.arange(len(one)), 1024)
    return (len(one), one.shape) == (len(two), two.shape) and all(
        torch.equal(one.take(rows), two.take(rows)) for rows in places
    )


def in_words(inputs: Inputs, places: Sequence[int], *, most: int = 12) -> list[str]:
    """Examples that are no pictures as texts: the first numbers, or tokens, of each."""
    rows = inputs.take(torch.tensor(places, dtype=torch.int64)).flatten(1)
    more = " ..." * (rows.shape[1] > most)
    return [" ".join(f"{number:.4g}" for number in row.tolist()) + more for row in rows[:, :most]]


@dataclass(frozen=True)
class InMemory:
    """Examples in memory.

    tensor: the normalized examples, float32 [N, *shape].
    """

    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.tensor.shape[1:])

    def __len__(self) -> int:
        return len(self.tensor)

    def take(self, index: Tensor) -> Tensor:
        """The examples at `index` (int64 [B]): float32 [B, *shape], on the device of the tensor."""
        return self.tensor.index_select(0, index.to(self.tensor.device))

    def to(self, device: torch.device | str) -> Self:
        """The same examples on another device."""
        return replace(self, tensor=self.tensor.to(device))


@dataclass(frozen=True)
class Lent:
    """Examples that others read, too, so that whoever works on them in place gets copies, also by `tensor`."""

    inputs: Inputs

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.inputs.shape

    @property
    def tensor(self) -> Tensor:
        """A copy of all examples."""
        return self.take(torch.arange(len(self)))

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: Tensor) -> Tensor:
        """See `Inputs.take`."""
        return self.inputs.take(index)

    def to(self, device: torch.device | str) -> Self:
        """The same examples on another device."""
        return replace(self, inputs=self.inputs.to(device))


class Arrays(NamedTuple):
    """A data set ready for training.

    train_x, test_x: the examples, normalized.
    train_y, test_y: their labels in [0, classes), int64 [N].
    classes: number of classes.
    """

    train_x: Inputs
    train_y: Tensor
    test_x: Inputs
    test_y: Tensor
    classes: int

    def inputs_on(self, device: str) -> Self:
        """The same with the examples on a device; labels stay on the CPU, where their noise is drawn."""
        return self._replace(train_x=self.train_x.to(device), test_x=self.test_x.to(device))


class Source(Value):
    """A source of examples; its id depends on their content, not on the folder of the files.

    digest: 128 bits of BLAKE2b over the content before normalization.
    train, test: numbers of examples.

    The factory function of each source fills in these fields from the files that are present.
    """

    digest: Digest
    train: int = Field(ge=1)
    test: int = Field(ge=1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of classes 0, 1, ...; empty where they have none. No result depends on them, so no id does."""
        return ()

    @property
    def variant(self) -> str:
        """What the content is where it is not that of the published files, "CIFAR-10 (JPEG copies)"; else empty."""
        return ""

    @property
    def lacks_training(self) -> bool:
        """Whether the test examples stand in the place of the training examples, too, as where none were given."""
        if self.train != self.test:
            return False
        arrays, some = self.load(), torch.arange(min(100, self.test))
        first = arrays.train_x.take(some), arrays.test_x.take(some)
        return torch.equal(arrays.train_y, arrays.test_y) and torch.equal(*first)

    @abstractmethod
    def load(self) -> Arrays:
        """The examples, normalized. Raises DataError when the content that is present has another digest."""


class Made(Source):
    """A source whose fields say what its content is: drawn by a seed, or shipped with the package."""

    @abstractmethod
    def content(self) -> "Content":
        """The examples before normalization."""

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """The source with these fields and the digest of its content."""
        unchecked = cls(digest="0" * 32, **fields)
        return unchecked.replace(digest=unchecked.content().digest)

    def verified(self) -> "Content":
        """The content. Raises DataError if it has another digest, as after an update of a library."""
        return self.content().verified(self.digest, name=type(self).__name__)


class Normalization(Value):
    """A shift and scale of each channel, (x - mean) / std, for x in [0, 1].

    mean, std: one number for each channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"mean {self.mean} and std {self.std} need one entry a channel each")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} has an entry that is not positive; every entry divides a channel")
        return self

    @property
    def zero(self) -> tuple[float, ...]:
        """The normalized value of a raw zero (black) in each channel, -mean / std."""
        return tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))

    def __call__(self, x: Tensor) -> Tensor:
        """The normalized examples, float32 [N, C, ...], of raw ones in [0, 1]; `x` is overwritten.

        Raises UsageError if `x` has another number of channels.
        """
        if x.shape[1] != len(self.mean):
            raise UsageError(
                f"the normalization has {len(self.mean)} channels and the examples have {x.shape[1]}; "
                "give mean and std one entry a channel"
            )
        shape = (-1,) + (1,) * (x.ndim - 2)
        mean, std = (torch.tensor(values, device=x.device).view(shape) for values in (self.mean, self.std))
        return x.sub_(mean).div_(std)


class Content(NamedTuple):
    """The content of a source before normalization.

    train_x, test_x: the examples [N, C, ...].
    train_y, test_y: their labels, int64 [N].
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor

    @property
    def digest(self) -> str:
        """The digest over dtypes, shapes and values, in the order of the fields."""
        return array_digest(*self)

    @property
    def summary(self) -> dict[str, Any]:
        """The fields that every `Source` has: digest, train and test."""
        return {"digest": self.digest, "train": len(self.train_y), "test": len(self.test_y)}

    def verified(self, digest: str, *, name: str) -> Self:
        """The same content. Raises DataError, with `name`, if it does not have the given digest."""
        if self.digest != digest:
            raise DataError(
                f"the content of {name} that is present has digest {self.digest}, the recipe names {digest}: two "
                "variants of the data. Restore the recipe's files, or write the recipe anew from these"
            )
        return self

    def arrays(self, classes: int) -> Arrays:
        """The content as it is, ready for training."""
        return Arrays(InMemory(self.train_x), self.train_y, InMemory(self.test_x), self.test_y, classes)

    def normalized(self, normalization: Normalization, *, white: float, classes: int) -> Arrays:
        """The content with the examples divided by `white`, the raw value that means 1, and then normalized."""
        train_x, test_x = (
            normalization(x.to(torch.float32, copy=True).div_(white)) for x in (self.train_x, self.test_x)
        )
        return self._replace(train_x=train_x, test_x=test_x).arrays(classes)
