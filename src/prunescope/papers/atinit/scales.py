"""On what the methods are compared: a task, sparsities, replicates. The numbers are proposed here."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

import prunescope as ps
from prunescope.papers.jin2022.scales import Changed, Name, column_of

Count = Annotated[int, Field(ge=1)]
Noise = Annotated[float, Field(ge=0, lt=1)]
EXPONENTS = (2, 4, 6, 8, 10, 12, 14, 20, 26)
"""Of the densities at laptop scale."""


class Ground(Changed):
    """A benchmark, what is different from it, and how much of it is run.

    benchmark: network, data and training; "standard" elsewhere stands for what it has.
    hidden: widths of a fully connected network's hidden layers.
    noises: shares of wrong training labels.
    exponents: one network for each, of density 0.8^exponent, ascending; the dense network is always run.
    replicates: runs of each network, each with its own seed.
    epochs: length of every run.
    share: part of the training images.
    """

    benchmark: Name = "lenet"
    hidden: tuple[Count, ...] | Literal["standard"] = "standard"
    noises: tuple[Noise, ...] = Field(default=(0.0,), min_length=1)
    exponents: tuple[Count, ...] = Field(min_length=1)
    replicates: Count = 3
    epochs: Count
    share: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name, values in (("exponents", self.exponents), ("noises", self.noises)):
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name}={values} must ascend without repetition; sort them")
        if self.hidden != "standard" and self.convolutions:
            raise ValueError(
                f"hidden={self.hidden} has no meaning for {self.benchmark}, whose widths are its own; leave it out"
            )
        return self

    @property
    def convolutions(self) -> bool:
        """Whether the network has convolutions."""
        return self.benchmark not in ("digits", "lenet")

    def dense(self, noise: float, number: int) -> ps.Recipe:
        """The unpruned recipe of replicate `number` at a noise level.

        Raises DataError if the data set is not there.
        """
        base = column_of(self.benchmark, self, self.epochs).recipe(epochs=self.epochs, share=self.share)
        if self.hidden != "standard":
            base = ps.with_network(base, hidden=self.hidden)
        return ps.with_data(base, label_noise=noise).replace(seeds=ps.replicate(number))

    def words(self, scale: str) -> str:
        """The size in one line for people."""
        return (
            f"{scale}: {self.benchmark}, {self.replicates} replicates, {len(self.exponents)} sparsities up to "
            f"{sparsity(self.exponents[-1])}, {self.epochs} epochs on {100 * self.share:g} % of the training images"
        ) + self.changes_in_words

    def check_judged(self, *exponents: int) -> None:
        """Raises ValueError unless networks of these exponents are run."""
        if missing := set(exponents) - set(self.exponents):
            raise ValueError(
                f"ground.exponents={self.exponents} lack {sorted(missing)}, at which claims are judged; add them"
            )


SMOKE = Ground(benchmark="digits", hidden=(16, 8), exponents=(2, 10), replicates=2, epochs=2)


def density(exponent: int) -> float:
    """0.8^exponent, what so many levels of pruning 20 % leave, to six digits, so that all recipes have the same.

    >>> density(2), density(14)
    (0.64, 0.0439805)
    """
    return float(f"{0.8**exponent:.6g}")


def sparsity(exponent: int) -> str:
    """A sparsity for people."""
    return f"{100 * (1 - density(exponent)):.3g} %"
