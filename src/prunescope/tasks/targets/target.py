"""What the labels of a task are: the interface."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.tasks.data.corruption import flip_labels
from prunescope.tasks.losses import Loss


class Target(Value):
    """What y is and how outputs are judged by it.

    loss: import path of the default loss, a function (outputs [N, ...], y [N, ...]) -> loss [N].
    decides: whether an example is either right or wrong, so that its error is 0 or 1.
    classifies: whether an example has one class.
    fixed: whether y itself says how many classes there are, as the number of its columns does.
    unit: the unit of an example's error.
    takes: what y may be, for messages.
    squashed: what makes probabilities of its outputs, which are logits: "Softmax", "Sigmoid", or "" for no logits.
    """

    loss: ClassVar[str]
    decides: ClassVar[bool] = False
    classifies: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    unit: ClassVar[str] = "fraction"
    takes: ClassVar[str]
    squashed: ClassVar[str] = ""

    @abstractmethod
    def permits(self, y: Tensor) -> bool:
        """Whether y has a shape, a type and values that this target has."""

    @abstractmethod
    def count(self, *parts: Tensor) -> int:
        """The number of classes or of outputs that the y of all splits speak of."""

    def require_every_class(self, *parts: Tensor) -> None:
        """Raises UsageError if labels have gaps that are more likely a mistake than meant."""

    @abstractmethod
    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """What is wrong with outputs of this shape for y of that one, and the fix; None if they fit."""

    @abstractmethod
    def prediction(self, outputs: Tensor) -> Tensor:
        """The prediction of each example, [N, ...]."""

    @abstractmethod
    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """The error of each example in `unit`, float64 [N]."""

    def bound(self, loss: Loss) -> Loss:
        """The loss with what only this target knows."""
        return loss

    def evaluated(self, loss: Loss) -> Loss:
        """The loss that is reported of each example, where `bound` made one that only training is to take."""
        return loss

    def plain(self, y: Tensor) -> Tensor:
        """The labels as they were given."""
        return y

    def check(self, y: Tensor, *, name: str) -> None:
        """Raises UsageError, with `name`, if this target does not permit y."""
        if not self.permits(y):
            raise UsageError(
                f"{name} y is {y.dtype} {tuple(y.shape)}{described(y)}; {type(self).__name__}() takes {self.takes}"
            )

    def require_fit(self, outputs: Tensor, y: Tensor, classes: int) -> None:
        """Raises UsageError if outputs [N, ...] of a network do not belong to y [N, ...]."""
        if len(outputs) != len(y):
            raise UsageError(
                f"the network returns {tuple(outputs.shape)} for {len(y)} examples; it must return one row an example"
            )
        if problem := self.fits(outputs.shape[1:], y.shape[1:], classes):
            raise UsageError(f"the network returns outputs of shape {('N', *outputs.shape[1:])}: {problem}")

    def require_decisions(self, what: str) -> None:
        """Raises UsageError, naming `what`, for a target whose examples are not right or wrong."""
        if not self.decides:
            raise self._impossible(what, "examples that are right or wrong", "compare losses or errors instead")

    def require_classes(self, what: str) -> None:
        """Raises UsageError, naming `what`, for a target without one class an example."""
        if not self.classifies:
            raise self._impossible(what, "one class an example", f"leave {what} out")

    def require_shares(self, what: str) -> None:
        """Raises UsageError, naming `what`, for a target whose error is no fraction, so that percent mean nothing."""
        if self.unit != "fraction":
            need = f"an error that is a fraction, not one in the {self.unit}"
            raise self._impossible(what, need, "ask the same of its losses and errors in a study of your own")

    def labels(self, y: Tensor) -> Tensor:
        """The class of each example, int64 [N]; only for a target that passes `require_classes`."""
        return y.reshape(len(y)).to(torch.int64)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability of each class, [N, C]; only for a target that passes `require_classes`."""
        return outputs.softmax(dim=1)

    def flipped(self, y: Tensor, fraction: float, *, classes: int, generator: torch.Generator) -> Tensor:
        """The same labels with exactly round(fraction * N) wrong ones; see `flip_labels`.

        Raises UsageError for a target whose labels cannot be flipped.
        """
        if fraction == 0 and not self.classifies:
            return y
        self.require_classes("label noise")
        return flip_labels(self.labels(y), fraction, classes, generator).reshape(y.shape).to(y.dtype)

    def _impossible(self, what: str, need: str, fix: str) -> UsageError:
        return UsageError(f"{what} needs {need}, and the target of the task is {type(self).__name__}; {fix}")


def require_target(given: object) -> None:
    """Raises UsageError for what is no target, such as the class or the name of one."""
    if not isinstance(given, Target):
        shown = f"{given.__name__} (a class)" if isinstance(given, type) else repr(given)
        raise UsageError(
            f"target={shown} is no target; give ps.Classes(), ps.Binary(), ps.MultiLabel(), ps.Regression() or "
            "ps.Sequence()"
        )


def is_whole(y: Tensor) -> bool:
    """Whether y is of integers."""
    return not (y.is_floating_point() or y.is_complex() or y.dtype == torch.bool)


def is_bits(y: Tensor) -> bool:
    """Whether y is of zeros and ones, at least one of them."""
    return y.numel() > 0 and not y.is_complex() and bool(((y == 0) | (y == 1)).all())


def described(y: Tensor) -> str:
    """The range of y in words."""
    if y.numel() == 0 or y.is_complex():
        return ""
    return f" from {y.min().item():g} to {y.max().item():g}"
