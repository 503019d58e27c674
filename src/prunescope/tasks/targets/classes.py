"""One class an example."""

from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.tasks.targets.target import Target, described, is_whole

CROSS_ENTROPY = "prunescope.tasks.losses:cross_entropy"


class Classes(Target):
    """One of C classes an example: y int64 [N] from 0, outputs [N, C]; the largest output is the prediction."""

    loss: ClassVar[str] = CROSS_ENTROPY
    squashed: ClassVar[str] = "Softmax"
    decides: ClassVar[bool] = True
    classifies: ClassVar[bool] = True
    takes: ClassVar[str] = "one integer an example, [N], from 0"

    def permits(self, y: Tensor) -> bool:
        """Integers [N] from 0."""
        return y.ndim == 1 and is_whole(y) and int(y.min()) >= 0

    def count(self, *parts: Tensor) -> int:
        """One more than the largest label, at least 2."""
        return max(2, *(int(y.max()) + 1 for y in parts))

    def check(self, y: Tensor, *, name: str) -> None:
        """See `Target`; for y of another target the message says which."""
        if self.permits(y):
            return
        hint = ""
        if not is_whole(y):
            hint = "; for classes give y.long(), for numbers target=Regression(), for one logit target=Binary()"
        if y.ndim == 2:
            hint = (
                "; give y[:, 0], or for a number of classes a row: y.argmax(1) if y is one-hot, target=MultiLabel() "
                "if several hold at once, target=Sequence() for a class a token, target=Regression() for numbers"
            )
        elif y.ndim == 1 and is_whole(y):
            hint = f"; map the labels: class_names={_mapping(y)}"
            if (y == 0).any():  # torch's own mark of no label is -100, others' is -1
                hint = f"; leave out the {int((y < 0).sum())} examples below 0 if they have no label, or{hint[1:]}"
        raise UsageError(f"{name} y is {y.dtype} {tuple(y.shape)}{described(y)}; Classes() takes {self.takes}{hint}")

    def require_every_class(self, *parts: Tensor) -> None:
        """Refuses labels of which some between 0 and the largest never occur, with the mapping that closes the gap."""
        present = np.unique(torch.cat(parts).numpy())
        largest = int(present[-1])
        if largest + 1 == len(present):
            return
        known = set(present.tolist())
        absent = list(islice((label for label in range(largest) if label not in known), 6))
        first = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
        raise UsageError(
            f"labels reach to {largest}, and no example has {first}; map them, "
            f"class_names={_mapping(torch.cat(parts))}, or say that the network has outputs for all of them, "
            f"classes={largest + 1}"
        )

    def fits(self, outputs: torch.Size, y: torch.Size, classes: int) -> str | None:
        """One dimension of at least as many outputs as there are classes."""
        if outputs in ((), (1,)) and classes == 2:
            return "one logit for two classes; give target=Binary(), or a network with two outputs"
        if len(outputs) != 1:
            return f"Classes() needs [N, C] with C at least {classes}; for a class a token give target=Sequence()"
        if outputs[0] < classes:
            needs = f"the network needs {classes} outputs, or, where labels begin at 1, give y - 1"
            return f"{outputs[0]} outputs for labels up to {classes - 1}; {needs}"
        return None

    def prediction(self, outputs: Tensor) -> Tensor:
        """The class with the largest output, int64 [N]."""
        return outputs.argmax(1)

    def error(self, prediction: Tensor, y: Tensor) -> Tensor:
        """1 where the prediction is not the label."""
        return (prediction != y).double()


def _mapping(y: Tensor) -> str:
    """A mapping of the labels that occur to names, as it can be typed."""
    values = np.unique(y.numpy()).tolist()
    shown = ", ".join(f"{value}: '{value}'" for value in values[:12])
    return "{" + shown + (", ..." if len(values) > 12 else "") + "}"
