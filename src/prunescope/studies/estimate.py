"""A number that is estimated from the examples of a data set, with its interval: what a claim about given states is of.

A `Quantity` is a number of every replicate, and a claim about it speaks of other seeds. An `Estimated` speaks of other
examples of the same kind (its `over` says so), and of other seeds only where its maker says so.
"""

from collections.abc import Callable
from dataclasses import dataclass

from prunescope.studies.results import Node, Results
from prunescope.studies.statistics import Interval


@dataclass(frozen=True)
class Estimate:
    """An interval and what it is made from.

    interval: of the number.
    n: how many examples (or what `over` says) it is estimated from.
    over: what there are n of.
    about: what the interval is of where the label does not say it, such as the worst of several groups.
    """

    interval: Interval
    n: int
    over: str = "examples"
    about: str = ""


@dataclass(frozen=True)
class Estimated:
    """A function of results with the nodes it reads, like a `Quantity`, that brings its own interval.

    label: what it is of. unit: what it is counted in. nodes: all that must be computed before it can be read.
    of: from results to the estimate; raises a PrunescopeError that says why where there is none.
    """

    label: str
    unit: str
    nodes: tuple[Node, ...]
    of: Callable[[Results], Estimate]

    def __call__(self, results: Results) -> Estimate:
        """The estimate. Raises a PrunescopeError where a node has no result."""
        return self.of(results)

    @property
    def described(self) -> str:
        """Unit and label, as they are printed beside a number."""
        return ", ".join(filter(None, (self.unit, self.label)))
