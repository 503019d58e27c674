"""Optimizers around another optimizer."""

from collections.abc import Mapping
from typing import Self

from pydantic import SerializeAsAny
from torch import Tensor

from prunescope.base.tree import Tree
from prunescope.training.optim import Optimizer, OptState


class Wrapper(Optimizer):
    """A rule around another one, whose state it has by default.

    optimizer: the rule inside.
    """

    optimizer: SerializeAsAny[Optimizer]

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # those of the rule inside
        """See `Optimizer`."""
        return self.optimizer.slots

    def init(self, params: Tree) -> OptState:
        """The state of the rule inside."""
        return self.optimizer.init(params)

    def bound(self, params: Mapping[str, Tensor]) -> Self:
        """See `Optimizer.bound`."""
        return self.replace(optimizer=self.optimizer.bound(params))
