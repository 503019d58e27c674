"""What a measure is.

Belongs here: the interface. Does not belong here: any measure.
"""

from typing import Literal

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.tasks.task import Problem, Task

SplitName = Literal["train", "validation", "test"]


class Measure(Value):
    """A named quantity of one state; it leaves the state alone and never trains."""

    def require(self, task: Task) -> None:
        """Raises UsageError, with the fix, for a task that has no such quantity; asked before anything runs."""

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The values by name: 0-D tensors for numbers, [N] for per-example quantities.

        problem: the task of the run that the state belongs to, with the labels that run used.
        """
        raise NotImplementedError
