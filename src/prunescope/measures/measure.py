"""What a measure is, and what a comparison is: a measure of two states on the same examples."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.tasks.task import Problem, Split, Task

SplitName = Literal["train", "validation", "test"]
Values = Mapping[str, NDArray[Any]]
"""What a reading or another node came to: arrays by name."""


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
        shown = f"a {type(values).__name__}"
        if isinstance(values, Mapping):
            shown = f"the names {list(values)}" if values else "nothing"
        raise UsageError(f'{name} returned {shown}; it must return tensors by name, such as {{"error": error}}')
    try:
        tensors = {key: torch.as_tensor(value).detach().cpu() for key, value in values.items()}
    except (TypeError, ValueError, RuntimeError) as problem:
        raise UsageError(f"{name} returned values that are no numbers ({problem}); give tensors") from None
    if odd := [key for key, leaf in tensors.items() if leaf.is_complex() or leaf.layout is not torch.strided]:
        raise UsageError(f"{name} returned {odd[0]!r} as a complex or sparse tensor; give real numbers, dense")
    of_numpy = (torch.float16, torch.float32, torch.float64)
    return {
        key: leaf.float() if leaf.is_floating_point() and leaf.dtype not in of_numpy else leaf
        for key, leaf in tensors.items()
    }


class State(NamedTuple):
    """A state in memory, with the task of its run."""

    problem: Problem
    weights: Weights


class Comparison(Value):
    """A quantity of two states. A subclass has its settings as fields, which are part of its id, and one method.

    It leaves both states and the global random state alone, gives the same values each time and never trains.

    one_network: whether both states must be of one network, so that every tensor of one has its partner in the other.
    """

    one_network: ClassVar[bool] = True

    def require(self, first: Task, second: Task) -> None:
        """Raises UsageError, with the fix, for two tasks that have no such quantity; asked before anything runs."""
        name = type(self).__name__
        if (first.data.source.id, first.target.id) != (second.data.source.id, second.target.id):
            raise UsageError(f"{name} compares answers to the same examples; give both states the same data")
        if self.one_network and first.network.id != second.network.id:
            raise UsageError(
                f"{name} pairs every tensor with its partner, and the states are of two networks "
                f"({first.network.path} and {second.network.path}); leave it out for this pair"
            )

    def compare(self, first: State, second: State) -> dict[str, Tensor]:
        """The values by name: 0-D tensors for numbers, [N] for quantities of N examples.

        Raises: UsageError, naming the reason, where the quantity does not exist for these networks or data.
        """
        raise NotImplementedError


def same_examples(first: State, second: State, split: str, most: int | None = None) -> Split:
    """The examples of a split, the first `most` of them, which must be the same for both states, labels included.

    Raises UsageError if the two runs held out others, or flipped the labels of others.
    """
    one, other = first.problem.split(split), second.problem.split(split)
    if not (torch.equal(one.index, other.index) and torch.equal(one.y, other.y)):
        raise UsageError(
            f"the {split} splits of the two states have other examples or labels; compare runs of the same seeds of "
            'data and labels, or on split="test"'
        )
    return one if most is None else one.at(torch.arange(min(most, len(one)), device=one.y.device))


def by_layer(values: Values, quantity: str) -> dict[str, float]:
    """One quantity of every layer, by the name of its tensor, from values named "QUANTITY of TENSOR"."""
    start = f"{quantity} of "
    return {name.removeprefix(start): float(np.asarray(v)) for name, v in values.items() if name.startswith(start)}
