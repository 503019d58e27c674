"""What a measure is."""

from typing import Literal

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.tasks.task import Problem, Task

SplitName = Literal["train", "validation", "test"]


class Measure(Value):
    """A quantity of one state. A subclass has its settings as fields, which are part of its id, and one method.

    A measure leaves the state and the global random state alone, gives the same values each time and never trains.
    """

    def require(self, task: Task) -> None:
        """Raises UsageError, with the fix, for a task that has no such quantity; asked before anything runs."""

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The values by name: 0-D tensors for numbers, [N, ...] for quantities of N examples.

        problem: the task of the run that the state belongs to, with the labels that the run used.
        weights: parameters, buffers and masks of the state.
        Raises: UsageError, naming the reason, where the quantity does not exist for this network or data.
        """
        raise NotImplementedError
