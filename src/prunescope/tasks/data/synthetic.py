"""Gaussian blobs, whose difficulty is one number, for examples and tests."""

import math

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.streams import stream
from prunescope.tasks.data.source import Arrays, Content, Made


class Blobs(Made):
    """Unit Gaussian noise around one random centre for each class; the classes alternate.

    classes: number of classes.
    shape: shape of one example.
    separation: length of the centres.
    seed: seed of the centres and the noise.
    """

    classes: int = Field(ge=2)
    shape: tuple[int, ...] = Field(min_length=1)
    separation: float = Field(ge=0)
    seed: int

    def content(self) -> Content:
        """The examples, rounded to 1/256: a digest must not depend on the last bit of a processor's logarithm."""
        size = math.prod(self.shape)
        directions = torch.randn(self.classes, size, generator=stream(self.seed, "synthetic", "centres"))
        centres = self.separation * directions / directions.norm(dim=1, keepdim=True)

        def split(name: str, count: int) -> tuple[Tensor, Tensor]:
            y = torch.arange(count) % self.classes
            noise = torch.randn(count, size, generator=stream(self.seed, "synthetic", name))
            return ((centres[y] + noise) * 256).round().div(256).view(count, *self.shape), y

        return Content(*split("train", self.train), *split("test", self.test))

    def load(self) -> Arrays:
        """Examples float32 [N, *shape], as they are, and labels; raises DataError if the digest differs."""
        return self.verified().arrays(self.classes)


def synthetic(
    *,
    classes: int = 4,
    shape: tuple[int, ...] = (16,),
    train: int = 512,
    test: int = 256,
    separation: float = 3.0,
    seed: int = 0,
) -> Blobs:
    """Gaussian blobs: x = separation * centre[y] + noise, a data set of any size and difficulty.

    >>> synthetic(classes=2, shape=(1, 4, 4), train=10, test=10).load().train_y.tolist()
    [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    """
    return Blobs.of(classes=classes, shape=shape, train=train, test=test, separation=separation, seed=seed)
