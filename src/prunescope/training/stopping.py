"""When a run ends."""

from prunescope.base.value import Value


class Stop(Value):
    """The rule that ends a run; every run ends at the end of its schedule at the latest."""

    def reached(self, loss: float) -> bool:
        """Whether the run ends before a step whose batch has this mean loss, nats."""
        raise NotImplementedError

    @property
    def watches(self) -> bool:
        """Whether the loss of every step has to be looked at."""
        raise NotImplementedError


class AtEnd(Stop):
    """The run ends with its schedule."""

    def reached(self, loss: float) -> bool:
        """Never before the schedule's end."""
        return False

    @property
    def watches(self) -> bool:
        """The loss does not matter."""
        return False


class LossBelow(Stop):
    """The run ends before the first step whose batch has a mean loss of at most `loss`, nats.

    With a batch as large as the training set this is the training loss itself.
    """

    loss: float

    def reached(self, loss: float) -> bool:
        """Whether the loss is at most the target."""
        return loss <= self.loss

    @property
    def watches(self) -> bool:
        """Every step is looked at."""
        return True
