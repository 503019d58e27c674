"""What a measure is."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.tasks.task import Problem, Task

SplitName = Literal["train", "validation", "test"]


class Measure(Value):
    """A quantity of one state. A subclass has its settings as fields, which are part of its id, and one method.

    A measure leaves the state and the global random state alone, gives the same values each time and never trains.
    A loop of its own that takes long calls `problem.beat()` in each round, which shows that it goes on and can stop it.
    """

    def require(self, task: Task) -> None:
        """Raises UsageError, with the fix, for a task that has no such quantity; asked before anything runs."""

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """About how many evaluated examples its work equals, for its price before one like it was taken.

        sizes: number of examples by split. By default one pass over the larger split.
        """
        return max(sizes.values())

    @abstractmethod
    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The values by name: 0-D tensors for numbers, [N, ...] for quantities of N examples.

        problem: the task of the run that the state belongs to, with the labels that the run used.
        weights: parameters, buffers and masks of the state.
        Raises: UsageError, naming the reason, where the quantity does not exist for this network or data.
        """


def plain(values: object, name: str) -> dict[str, Tensor]:
    """What the measure or comparison `name` returned, on the CPU. Raises UsageError unless it is numbers by name."""
    if not isinstance(values, Mapping) or not values or not all(isinstance(key, str) for key in values):
        shown = "nothing" if isinstance(values, Mapping) else f"a {type(values).__name__}"
        raise UsageError(f'{name} returned {shown}; it must return tensors by name, such as {{"error": error}}')
    try:
        return {key: torch.as_tensor(value).detach().cpu() for key, value in values.items()}
    except (TypeError, ValueError, RuntimeError) as problem:
        raise UsageError(f"{name} returned values that are no numbers ({problem}); give tensors") from None
