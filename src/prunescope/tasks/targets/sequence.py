"""A class for every token or pixel."""

from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from prunescope.tasks.losses import Loss, token_cross_entropy
from prunescope.tasks.targets.target import Target, is_whole


class Sequence(Target):
    """One of C classes for every token or pixel: y int64 [N, T, ...] from 0; those that are `ignored` do not count.

    ignored: the label of tokens that do not count.
    classes_at: where outputs have their C classes, "last" [N, T, ..., C] or "second" [N, C, T, ...]; to be given where
        both fit.

    The loss of an example is the mean over its tokens that count, its error the share of them that are wrong. y is
    aligned with the outputs: whoever predicts the next token shifts y.
    """

    loss: ClassVar[str] = "prunescope.tasks.losses:token_cross_entropy"
    squashed: ClassVar[str] = "Softmax"
    ignored: int = -100
    classes_at: Literal["last", "second"] = "last"
    takes: ClassVar[str] = (
        "an integer from 0 for each token, [N, T, ...], or `ignored`, and at least one that counts in each example"
    )

    def bound(self, loss: Loss) -> Loss:
        """The default loss with this layout; a loss of one's own as it is."""
        if loss is not token_cross_entropy:
            return loss
        return partial(token_cross_entropy, ignored=self.ignored, classes_at=self.classes_at)

    def permits(self, y: Tensor) -> bool:
        """Integers [N, T, ...] from 0 where they count."""
        if y.ndim < 2 or not is_whole(y) or y.numel() == 0:
            return False
        counts = y != self.ignored
        return bool(counts.flatten(1).any(1).all()) and int(y[counts].min()) >= 0

    def count(self, *parts: Tensor) -> int:
        """One more than the largest label that counts, at least 2."""
        return max(2, *(int(y[y != self.ignored].max()) + 1 for y in parts))

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """The dimensions of y and one of at least as many outputs as there are classes."""
        place = -1 if self.classes_at == "last" else 0
        rest = outputs[:place] + (outputs[1:] if place == 0 else ())
        if outputs[1:] == outputs[:-1] == y and "classes_at" not in self.model_fields_set:
            return "classes_at='last' and classes_at='second' both fit; say which, Sequence(classes_at=...)"
        if len(outputs) and rest == y and outputs[place] >= classes:
            return None
        layout = ("N", *y, "C") if self.classes_at == "last" else ("N", "C", *y)
        return f"{self!r} needs {layout} with C at least {classes}; classes_at says where the classes are"

    def prediction(self, outputs: Tensor) -> Tensor:
        """The class with the largest output of each token, int64 [N, T, ...]."""
        return outputs.argmax(-1 if self.classes_at == "last" else 1)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """The share of wrong tokens among those that count."""
        counts = (y != self.ignored).flatten(1)
        wrong = (prediction != y).flatten(1) & counts
        return wrong.double().sum(1) / counts.sum(1)
