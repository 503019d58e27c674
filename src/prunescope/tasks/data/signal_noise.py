"""Signal and noise: each example has a patch that depends on its class, and one that is pure noise."""

import math
from functools import lru_cache
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.base.value import Value
from prunescope.tasks.data.source import Arrays, Content, Made


class Signal(Value):
    """One fixed vector for each class: strength * e_k, with e_k the k-th coordinate axis.

    strength: its length.

    Source: Yang et al. 2023, definition of the data (recalled).
    """

    strength: float = Field(default=1.0, gt=0)

    def vectors(self, classes: int, dimension: int) -> Tensor:
        """float32 [classes, dimension], row k the signal of class k.

        Raises UsageError when there are more classes than dimensions.
        """
        if classes > dimension:
            raise UsageError(
                f"{classes} orthogonal signals do not fit in {dimension} dimensions; use at most as many classes"
            )
        return (self.strength * self._directions(classes, dimension)).float()

    def _directions(self, classes: int, dimension: int) -> Tensor:
        return torch.eye(classes, dimension)


class DenseSignal(Signal):
    """Signals that spread over all coordinates, rows of the cosine transform; masks shrink them like the noise.

    Source: proposed here, as the control in which no benefit should appear.
    """

    def _directions(self, classes: int, dimension: int) -> Tensor:
        place = torch.arange(dimension, dtype=torch.float64) + 0.5
        waves = torch.arange(classes, dtype=torch.float64)[:, None] * place * (math.pi / dimension)
        rows = waves.cos()
        return _grid(rows / rows.norm(dim=1, keepdim=True), bits=24)


class OppositeSignal(Signal):
    """Signals of two classes that lie opposite each other on the first axis: strength * e_1 and -strength * e_1.

    Source: Yang et al. 2023, the simulation with labels +1 and -1 (recalled).
    """

    def vectors(self, classes: int, dimension: int) -> Tensor:
        """float32 [2, dimension]; raises UsageError for more than two classes."""
        if classes != 2:
            raise UsageError(f"classes={classes}: two opposite signals are for 2 classes; use Signal for more")
        return super().vectors(classes, dimension)

    def _directions(self, classes: int, dimension: int) -> Tensor:
        return torch.tensor([[1.0], [-1.0]]) * torch.eye(1, dimension)


class SignalNoise(Made):
    """Examples [2, dimension] of two patches in random order: the signal of the class, and noise from N(0, noise^2 I).

    classes: number of classes, which are drawn uniformly.
    dimension: numbers in a patch.
    signal: the rule for the signals.
    noise: standard deviation of the noise.
    seed: seed of classes, noise and order; the signals do not depend on it.

    Source: Yang et al. 2023, definition of the data (recalled).
    """

    classes: int = Field(ge=2)
    dimension: int = Field(ge=2)
    signal: Signal
    noise: float = Field(ge=0)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.classes > self.dimension:
            raise ValueError(
                f"classes={self.classes} orthogonal signals do not fit in dimension={self.dimension}; "
                "use at most as many classes"
            )
        return self

    def content(self) -> Content:
        """The examples; noise is rounded to 2^-12, so that the digest does not depend on a processor's last bit."""
        signals = self.signal.vectors(self.classes, self.dimension)

        def split(name: str, count: int) -> tuple[Tensor, Tensor]:
            draws = [stream(self.seed, "signal and noise", name, part) for part in ("class", "noise", "order")]
            y = torch.randint(self.classes, (count,), generator=draws[0])
            unit = torch.randn(count, self.dimension, dtype=torch.float64, generator=draws[1])
            noise = (self.noise * _grid(unit, bits=12)).float()
            first = torch.randint(2, (count,), generator=draws[2]).bool()[:, None]
            return torch.stack([signals[y].where(first, noise), noise.where(first, signals[y])], dim=1), y

        return Content(*split("train", self.train), *split("test", self.test))

    def load(self) -> Arrays:
        """Examples float32 [N, 2, dimension], as they are, and labels; raises DataError if the digest differs."""
        return self.verified().arrays(self.classes)


@lru_cache(10_000)  # a diagram asks for the same data again for every width
def signal_noise(
    *,
    classes: int = 2,
    dimension: int = 400,
    signal: Signal = Signal(),  # noqa: B008
    noise: float = 0.25,
    train: int = 100,
    test: int = 1000,
    seed: int = 0,
) -> SignalNoise:
    """The data of the theory; a replicate with fresh data is another source, with another `seed`.

    >>> x = signal_noise(dimension=5, noise=0.0, train=3, test=1).load().train_x.take(torch.arange(3))
    >>> x.sum(dim=(1, 2)).tolist()
    [1.0, 1.0, 1.0]
    """
    return SignalNoise.of(
        classes=classes, dimension=dimension, signal=signal, noise=noise, train=train, test=test, seed=seed
    )


def _grid(values: Tensor, *, bits: int) -> Tensor:
    """float64 values rounded to multiples of 2^-bits."""
    return (values * float(2**bits)).round() / float(2**bits)
