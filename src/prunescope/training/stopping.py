"""Rules that end a run."""

from collections.abc import Mapping
from typing import ClassVar

from prunescope.base.value import Value


class Stop(Value):
    """The rule that ends a run; every run ends at the end of its schedule at the latest.

    watches: whether the rule needs the loss of every step.
    """

    shortcuts: ClassVar[Mapping[str, str]] = {"watches": "reached"}
    watches: ClassVar[bool] = True

    def reached(self, loss: float) -> bool:
        """Whether the run ends before a step whose batch has this mean loss, nats."""
        raise NotImplementedError


class AtEnd(Stop):
    """The run ends with its schedule."""

    watches: ClassVar[bool] = False

    def reached(self, loss: float) -> bool:
        """Never before the schedule's end."""
        return False


class LossBelow(Stop):
    """The run ends before the first step whose batch has a mean loss of at most `loss`, nats.

    With a batch as large as the training set this is the training loss itself.
    """

    watches: ClassVar[bool] = True
    loss: float

    def reached(self, loss: float) -> bool:
        """Whether the loss is at most the target."""
        return loss <= self.loss
