"""Examples with weights: another target whose training loss counts some examples more than others."""

import math
from functools import partial
from typing import Any

import torch
from pydantic import SerializeAsAny
from torch import Tensor

from prunescope.tasks.losses import Loss
from prunescope.tasks.targets.target import Target


def _of_inner(name: str) -> Any:
    return property(lambda self: getattr(self.inner, name), doc="That of the inner target.")


class Weighted(Target):
    """Each example's loss times a weight while it is trained; errors, and losses that are evaluated, are not weighted.

    inner: what y is besides.
    shape: the shape of y for one example.
    whole: whether y is of whole numbers.

    y here is packed, float32 [N, 1 + D]: the weight, then y, whose whole numbers are exact below 2^24. A step takes
    mean(w_i l_i) over the batch, with weights as they are given; weights of mean 1 keep the size of a step. Gradients
    and curvature, too, are those of the weighted loss. Examples of the test set have the weight 1.
    """

    inner: SerializeAsAny[Target]
    shape: tuple[int, ...] = ()
    whole: bool = True

    loss = _of_inner("loss")
    decides = _of_inner("decides")
    classifies = _of_inner("classifies")
    unit = _of_inner("unit")
    takes = _of_inner("takes")
    squashed = _of_inner("squashed")

    def pack(self, y: Tensor, weights: Tensor) -> Tensor:
        """Weights [N] and y [N, ...] in one tensor, float32 [N, 1 + D]."""
        return torch.cat([weights.reshape(-1, 1).float(), y.reshape(len(y), -1).float()], dim=1)

    def unpack(self, packed: Tensor) -> Tensor:
        """The labels as they were, [N, ...]."""
        y = packed[:, 1:].reshape(packed.shape[0], *self.shape)
        return y.round().to(torch.int64) if self.whole else y

    def permits(self, y: Tensor) -> bool:
        """Weights that are not negative, and what the inner target permits."""
        packed = y.ndim == 2 and y.shape[1] == 1 + math.prod(self.shape)
        return packed and bool((y[:, 0] >= 0).all()) and self.inner.permits(self.unpack(y))

    def count(self, *parts: Tensor) -> int:
        """That of the inner target."""
        return self.inner.count(*map(self.unpack, parts))

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """What the inner target says."""
        return self.inner.fits(outputs, torch.Size(self.shape), classes)

    def prediction(self, outputs: Tensor) -> Tensor:
        """That of the inner target."""
        return self.inner.prediction(outputs)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """That of the inner target, without weights."""
        return self.inner.error(prediction, self.unpack(y))

    def bound(self, loss: Loss) -> Loss:
        """The weighted loss."""
        return partial(_weighted, self.inner.bound(loss), self)

    def evaluated(self, loss: Loss) -> Loss:
        """The same loss without weights."""
        return partial(_unweighted, loss.args[0], self) if isinstance(loss, partial) else loss

    def plain(self, y: Tensor) -> Tensor:
        """The labels without weights."""
        return self.unpack(y)

    def labels(self, y: Tensor) -> Tensor:
        """That of the inner target."""
        return self.inner.labels(self.unpack(y))

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Those of the inner target."""
        return self.inner.probabilities(outputs)

    def flipped(self, y: Tensor, fraction: float, **draw: Any) -> Tensor:
        """The same weights, with the labels of the inner target flipped."""
        return self.pack(self.inner.flipped(self.unpack(y), fraction, **draw), y[:, 0])


def _weighted(loss: Loss, target: Weighted, outputs: Tensor, y: Tensor) -> Tensor:
    return y[:, 0] * loss(outputs, target.unpack(y))


def _unweighted(loss: Loss, target: Weighted, outputs: Tensor, y: Tensor) -> Tensor:
    return loss(outputs, target.unpack(y))
