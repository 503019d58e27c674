"""What an engine is: how replicas take their steps on this machine.

Results obey one law whatever the engine: the same recipe gives the same result to a stated tolerance, and bitwise the
same where engine, switch points, stack and device are equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from torch import Tensor

from prunescope.base.errors import Diverged
from prunescope.base.state import TrainState
from prunescope.training.loop import Stepper


@dataclass(frozen=True)
class Replica:
    """One replica under way.

    running: 0-D, sum of the batch losses since the last epoch began, nats; an engine begins it anew with the first
        step of an epoch.
    local: position, counted from the run's start.
    ended: its stop rule ended the run here.
    failure: its loss stopped being a number; `state` is then void.
    members: how many replicas the program that moved it held.
    """

    stepper: Stepper
    state: TrainState
    running: Tensor
    local: int
    ended: bool = False
    failure: Diverged | None = None
    members: int = 1

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields exchanged."""
        return replace(self, **changes)


class Engine(Protocol):
    """Takes steps in which nothing happens but training."""

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """The replicas `steps` steps on, in the same order; one that its stop rule ends or that fails stays behind.

        No replica has an event, a probe or a state to keep before its last of these steps is done. The tensors of the
        replicas that were given are left alone.
        """


def diverged(loss: float, step: int) -> Diverged:
    """The failure of a run whose loss was `loss` before its step number `step`, counted from the run's start."""
    return Diverged(
        f"the training loss is {loss} at step {step} of the run; lower the learning rate or check the data, then "
        "run again"
    )
