"""Claims of what most replicates do: a direction of the median."""

import math
from dataclasses import dataclass

import numpy as np

from prunescope.studies import statistics
from prunescope.studies.region import Direction, Outcome, Region
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval


@dataclass(frozen=True)
class MedianDirection(Direction):
    """The median is less, or greater, than a number: what more than half of all replicates do.

    For values with two modes, of which a mean and its standard deviation say little. The interval and the p-value are
    exact whatever the distribution (order statistics, sign test). Papers' rule: the sample's median, by itself; on the
    number itself "or_matches" holds, and anything else is inconclusive.
    """

    def __str__(self) -> str:
        return f"median {super().__str__()}"

    @property
    def fewest(self) -> int:
        """As many as have an interval at the level: from the smallest value to the largest."""
        return math.ceil(1.0 - math.log2(1.0 - self.level))

    at_looks = Region.at_looks

    def by_paper(self, values: Numbers) -> Outcome:
        """Reproduced or contradicted by the side of the sample's median."""
        median = float(np.median(values))
        if median == self.than:
            return "reproduced" if self.or_matches else "inconclusive"
        return self._of_side(median > self.than)

    def interval(self, values: Numbers) -> Interval:
        """The exact interval of the median, at the level that its order statistics reach."""
        return statistics.median_interval(values, level=self.level)

    def p_value(self, values: Numbers) -> float:
        """The sign test's, for the claimed side."""
        return statistics.sign_test(self._sign * values, than=self._sign * self._edge)

    def p_outside(self, values: Numbers) -> float:
        """The sign test's, for the other side: 1 - p would be too small, since counts are whole numbers."""
        return statistics.sign_test(-self._sign * values, than=-self._sign * self._edge)

    def _estimate(self, values: Numbers) -> float:
        return float(np.median(values))
