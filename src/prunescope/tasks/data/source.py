"""What a data source is, and what it yields.

Belongs here: the interface, examples in memory, normalization, and the check that content is the content that
was named. Does not belong here: file formats (`idx`, `cifar`, `images`), places and downloads (`files`),
splits and label noise (`corruption`).
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple, Protocol, Self

import torch
from pydantic import Field, StringConstraints, model_validator
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.value import Value, array_digest

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 bits of content digest, as 32 hexadecimal digits."""


class Inputs(Protocol):
    """Examples that can be gathered by index, wherever they lie."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, e.g. (1, 28, 28)."""

    def __len__(self) -> int:
        """How many examples there are."""

    def take(self, index: Tensor) -> Tensor:
        """The examples at `index` (int64 [B]), normalized: float32 [B, *shape]."""

    def to(self, device: torch.device | str) -> Self:
        """The same examples, taken onto `device`."""


@dataclass(frozen=True)
class InMemory:
    """Examples held in one tensor, float32 [N, *shape], already normalized."""

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


class Arrays(NamedTuple):
    """A data set ready for training: examples, labels (int64 [N], in [0, classes)) and how many classes."""

    train_x: Inputs
    train_y: Tensor
    test_x: Inputs
    test_y: Tensor
    classes: int

    def inputs_on(self, device: str) -> Self:
        """The same with the examples on a device; labels stay, as their noise is drawn here."""
        return self._replace(train_x=self.train_x.to(device), test_x=self.test_x.to(device))


class Source(Value):
    """Where examples come from; its id names their content, not the folder they lie in.

    digest: 128 bits of BLAKE2b over what the source holds before normalization; train, test: numbers of
    examples. Each source's factory function fills them in from the files that are present.
    """

    digest: Digest
    train: int = Field(ge=1)
    test: int = Field(ge=1)

    @abstractmethod
    def load(self) -> Arrays:
        """The examples, normalized; raises DataError when the content at hand does not have this digest."""


class Normalization(Value):
    """Shift and scale per channel: (x - mean) / std, for x in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"mean {self.mean} and std {self.std} need one entry a channel each")
        if min(self.std) <= 0:
            raise ValueError(
                f"std {self.std} has an entry that is not positive; every entry divides a channel"
            )
        return self

    @property
    def zero(self) -> tuple[float, ...]:
        """What a raw zero (black) becomes, per channel: -mean / std."""
        return tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))

    def __call__(self, x: Tensor) -> Tensor:
        """Normalized examples, float32 [N, C, ...], from raw ones in [0, 1]; `x` is overwritten.

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
    """What a source holds before normalization: examples [N, C, ...], labels int64 [N]."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor

    @property
    def digest(self) -> str:
        """The content digest: of dtypes, shapes and values, in the order of the fields."""
        return array_digest(*self)

    def verified(self, digest: str, *, name: str) -> Self:
        """The same content, if it has the given digest; raises DataError, with `name`, otherwise."""
        if self.digest != digest:
            raise DataError(
                f"the content of {name} at hand has digest {self.digest}, the recipe names {digest}: two "
                "variants of the data. Restore the recipe's files, or write the recipe anew from these"
            )
        return self

    def normalized(self, normalization: Normalization, *, white: float, classes: int) -> Arrays:
        """The content as Arrays: examples divided by `white`, the raw value that means 1, then normalized."""

        def prepared(x: Tensor) -> InMemory:
            return InMemory(normalization(x.to(torch.float32, copy=True).div_(white)))

        return Arrays(prepared(self.train_x), self.train_y, prepared(self.test_x), self.test_y, classes)
