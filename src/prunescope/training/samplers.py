"""Which examples an epoch sees, and in which order, where that is no permutation of all."""

from abc import abstractmethod

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.value import Value


class Sampler(Value):
    """A rule for the examples of an epoch; it draws from the generator that it is given and from no other."""

    @abstractmethod
    def rows(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Rows of the training split in order of use, int64 [N], as many as the split has; a row may come twice.

        y: the labels that training uses, int64 [N].
        generator: keyed by seeds.order and the epoch.
        """


class Balanced(Sampler):
    """Draws with replacement in which every class that has examples is equally likely.

    Source: torch.utils.data.WeightedRandomSampler with weights 1 / (number of examples of the class).
    """

    def rows(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """See `Sampler.rows`."""
        return _drawn(1.0 / torch.bincount(_classes(y)).double()[y], generator)


class Weighted(Sampler):
    """Draws with replacement in which an example is drawn in proportion to the weight of its class.

    weights: one a class, at least 0.

    Source: torch.utils.data.WeightedRandomSampler.
    """

    weights: tuple[float, ...] = Field(min_length=1)

    def rows(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """See `Sampler.rows`. Raises UsageError for a class without a weight, and where no example has one above 0."""
        if int(_classes(y).max()) >= len(self.weights) or min(self.weights) < 0:
            raise UsageError(
                f"weights {self.weights} of a sampler for classes up to {int(y.max())}; give one a class, at least 0"
            )
        each = torch.tensor(self.weights, dtype=torch.float64)[y]
        if not bool(each.any()):
            raise UsageError(f"weights {self.weights} leave no example to draw; raise that of a class that has some")
        return _drawn(each, generator)


def checked_rows(sampler: Sampler, y: Tensor, generator: torch.Generator) -> Tensor:
    """The rows of a sampler. Raises UsageError if they are not N row numbers."""
    rows = sampler.rows(y, generator)
    whole = rows.dtype == torch.int64 and rows.shape == (len(y),)
    if not whole or not bool(((rows >= 0) & (rows < len(y))).all()):
        raise UsageError(
            f"{type(sampler).__name__}.rows returned {tuple(rows.shape)} {rows.dtype} for {len(y)} examples; return as "
            f"many row numbers, int64 from 0 to {len(y) - 1}"
        )
    return rows


def _classes(y: Tensor) -> Tensor:
    """Raises UsageError for labels that are no classes."""
    if y.ndim != 1 or y.is_floating_point():
        raise UsageError("a sampler by class needs one class an example; use a sampler of your own for other labels")
    return y


def _drawn(weights: Tensor, generator: torch.Generator) -> Tensor:
    return torch.multinomial(weights, len(weights), replacement=True, generator=generator)
