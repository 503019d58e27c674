"""What a claim asserts about a number, or about several: the kinds of region, each with two ways to decide.

`by_paper` is the rule of the paper, a mean against one standard deviation; it is easily fooled by few replicates.
`by_interval` says "reproduced" only if all of the confidence interval lies inside, "contradicted" only if none does.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.studies import statistics
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

Outcome = Literal[
    "reproduced",
    "contradicted",
    "inconclusive",
    "not judgeable at this scale",
    "too few replicates",
    "not run",
    "no such rule",
]


class Region(Protocol):
    """A claimed set of values, a frozen dataclass.

    fewest: the smallest sample it can be decided from.
    """

    fewest: ClassVar[int]

    @property
    def level(self) -> float:
        """Of the confidence interval."""
        ...

    def by_paper(self, values: Numbers) -> Outcome:
        """The outcome by the paper's own rule."""

    def by_interval(self, interval: Interval) -> Outcome:
        """The outcome of comparing the whole interval with the region."""

    def interval(self, values: Numbers) -> Interval:
        """The confidence interval of the claimed quantity."""

    def p_value(self, values: Numbers) -> float:
        """One-sided p-value against "outside the region"."""


class _Mean:
    """What regions of a mean share: Student's interval, and no judgement on a single replicate."""

    fewest: ClassVar[int] = 2

    @property
    def level(self) -> float:
        """Of the interval."""
        raise NotImplementedError

    def interval(self, values: Numbers) -> Interval:
        """Student's interval of the mean."""
        return statistics.t_interval(values, level=self.level)


@dataclass(frozen=True)
class Direction(_Mean):
    """The mean is less, or greater, than a number.

    or_matches: or it is the same ("matches or exceeds").
    margin: how far beyond the number still counts as the same, for the interval and p; only with or_matches. At
        level=0.9 "reproduced" then is a test of non-inferiority at 5 %.

    Paper's rule: the mean is at least one standard deviation away from `than`, on the claimed side; or_matches: it is
    not that far away on the other side.
    """

    side: Literal["less", "greater"]
    _: KW_ONLY
    than: float = 0.0
    or_matches: bool = False
    margin: float = 0.0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.side not in ("less", "greater"):
            raise UsageError(f"direction {self.side!r} is not a side; write 'less' or 'greater'")
        if self.margin < 0.0 or (self.margin and not self.or_matches):
            raise UsageError(f"margin {self.margin} must be positive, and needs or_matches=True")

    def __str__(self) -> str:
        within = f" to within {self.margin:g}" if self.margin else ""
        return f"{self.side} than {self.than:g}{f', or matches it{within}' if self.or_matches else ''}"

    def by_paper(self, values: Numbers) -> Outcome:
        """Reproduced or contradicted if the values differ from `than`, by the sign of the mean."""
        if not statistics.differs(values - self.than):
            return "reproduced" if self.or_matches else "inconclusive"
        return self._of_side(bool(values.mean() > self.than))

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the interval excludes `than`, or the end of the margin beyond it."""
        if interval.low <= self._edge <= interval.high:
            return "inconclusive"
        return self._of_side(interval.low > self._edge)

    def _of_side(self, greater: bool) -> Outcome:
        return "reproduced" if greater == (self.side == "greater") else "contradicted"

    @property
    def _sign(self) -> float:
        return 1.0 if self.side == "greater" else -1.0

    @property
    def _edge(self) -> float:
        return self.than - self._sign * self.margin

    def p_value(self, values: Numbers) -> float:
        """One-sided p-value of the claimed side."""
        return statistics.t_test(self._sign * values, than=self._sign * self._edge)

    def p_outside(self, values: Numbers) -> float:
        """One-sided p-value of the other side."""
        return 1.0 - self.p_value(values)


@dataclass(frozen=True)
class MedianDirection(Direction):
    """The median is less, or greater, than a number: what more than half of all replicates do.

    For values with two modes, of which a mean and its standard deviation say little. The interval and the p-value are
    exact whatever the distribution (order statistics, sign test). Papers' rule: the sample's median, by itself.
    """

    fewest: ClassVar[int] = 6

    def __str__(self) -> str:
        return f"median {super().__str__()}"

    def by_paper(self, values: Numbers) -> Outcome:
        """Reproduced or contradicted by the side of the sample's median; inconclusive on the number itself."""
        median = float(np.median(values))
        return "inconclusive" if median == self.than else self._of_side(median > self.than)

    def interval(self, values: Numbers) -> Interval:
        """The exact interval of the median, at the level that its order statistics reach."""
        return statistics.median_interval(values, level=self.level)

    def p_value(self, values: Numbers) -> float:
        """The sign test's, for the claimed side."""
        return statistics.sign_test(self._sign * values, than=self._sign * self.than)


@dataclass(frozen=True)
class CorrelationDirection(Direction):
    """The correlation is less, or greater, than a number: its interval and p are of its Fisher transform.

    ranked: how many things each correlation is over, such as groups of examples.
    """

    _: KW_ONLY
    ranked: int

    def interval(self, values: Numbers) -> Interval:
        """Of the mean correlation, within [-1, 1]."""
        return statistics.correlation_interval(values, ranked=self.ranked, level=self.level)

    def p_value(self, values: Numbers) -> float:
        """One-sided p-value of the claimed side."""
        transformed, than = (statistics.fisher(v, ranked=self.ranked) for v in (values, [self._edge]))
        return statistics.t_test(self._sign * transformed, than=self._sign * float(than[0]))


@dataclass(frozen=True)
class Near(_Mean):
    """The mean equals a published number within a tolerance.

    Paper's rule: the mean is within the tolerance; contradicted if it is outside by one standard deviation.
    """

    value: float
    tolerance: float
    _: KW_ONLY
    level: float = 0.95

    def __post_init__(self) -> None:
        _positive("tolerance", self.tolerance)

    def __str__(self) -> str:
        return f"within {self.tolerance:g} of {self.value:g}"

    def by_paper(self, values: Numbers) -> Outcome:
        """Compares the excess of |mean - value| over the tolerance with one standard deviation."""
        excess = abs(float(values.mean()) - self.value) - self.tolerance
        outside: Outcome = "contradicted" if excess >= float(values.std(ddof=1)) else "inconclusive"
        return "reproduced" if excess <= 0.0 else outside

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the interval lies wholly inside or wholly outside value ± tolerance."""
        return _inside(interval, self.value - self.tolerance, self.value + self.tolerance)

    def p_value(self, values: Numbers) -> float:
        """Two one-sided tests against the ends of the tolerance."""
        return statistics.equivalence_test(values - self.value, margin=self.tolerance)


@dataclass(frozen=True)
class Equivalence(_Mean):
    """Two results are the same: the mean difference is within ±margin.

    Paper's rule: they "match", that is they do not differ; the margin plays no part in it. The interval is
    the 90 % one, which makes "reproduced" the two one-sided tests (TOST) at 5 %.
    """

    margin: float
    _: KW_ONLY
    level: float = 0.90

    def __post_init__(self) -> None:
        _positive("margin", self.margin)

    def __str__(self) -> str:
        return f"within ±{self.margin:g} of 0"

    def by_paper(self, values: Numbers) -> Outcome:
        """Reproduced unless the values differ from zero by one standard deviation."""
        return "contradicted" if statistics.differs(values) else "reproduced"

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the interval lies wholly inside or wholly outside ±margin."""
        return _inside(interval, -self.margin, self.margin)

    def p_value(self, values: Numbers) -> float:
        """Two one-sided tests against the margin."""
        return statistics.equivalence_test(values, margin=self.margin)

    def p_outside(self, values: Numbers) -> float:
        """p-value of "beyond the margin", on whichever side: the smaller of two one-sided ones, doubled."""
        above, below = (statistics.t_test(side * values, than=self.margin) for side in (1.0, -1.0))
        return min(1.0, 2.0 * min(above, below))


class _Share:
    """What regions of a share have in common: at least so many of so many, an interval at 95 %."""

    at_least: int
    of: int
    fewest: ClassVar[int] = 2
    level: float

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= self.of:
            raise UsageError(f"at least {self.at_least} of {self.of} is not a count; need 1 <= at_least <= of")

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the whole interval is at or above the claimed share, or below it."""
        return _inside(interval, self.at_least / self.of, 1.0)


@dataclass(frozen=True)
class Among(_Share):
    """Of several parts (groups of examples, levels, benchmarks) at least so large a share lies in a region: [R, parts].

    Parts may share replicates and depend on each other in any way, so they are no cases of a binomial: each part is
    tested over its replicates, and the interval is for the share of parts whose mean lies in the region. Its low end
    counts the parts that are shown to be inside, its high end all but those shown to be outside, at 97.5 % each. By
    default all parts have to.

    Paper's rule: at least that share is "reproduced" by the paper's rule for one part; contradicted where that is out
    of reach even if all inconclusive parts were. chance: how often that rule calls a part outside where nothing
    differs; as many parts may then be outside as are so by chance in 95 of 100 cases (independent parts).

    Source: Benjamini and Heller 2008 (partial conjunctions of dependent hypotheses).
    """

    region: Direction | Equivalence
    _: KW_ONLY
    at_least: int = 1
    of: int = 1
    chance: float = 0.0
    level: float = 0.95

    def __str__(self) -> str:
        share = "all" if self.at_least == self.of else f"at least {self.at_least} of {self.of}"
        return f"{share}: {self.region}"

    def by_paper(self, values: Numbers) -> Outcome:
        """Compares shares in whole numbers, so that 11 of 13 is exactly 11 of 13."""
        from scipy import stats

        outcomes = [self.region.by_paper(part) for part in values.T]
        by_chance = int(stats.binom.ppf(0.95, len(outcomes), self.chance)) if self.chance else 0
        needed = min(self._needed(values), len(outcomes) - by_chance)
        if outcomes.count("reproduced") >= needed:
            return "reproduced"
        return "contradicted" if len(outcomes) - outcomes.count("contradicted") < needed else "inconclusive"

    def interval(self, values: Numbers) -> Interval:
        """The share of parts with their mean inside, and simultaneous bounds on it."""
        parts, one_sided = values.shape[1], (1.0 + self.level) / 2.0
        of_inside, of_outside = ([p(part) for part in values.T] for p in (self.region.p_value, self.region.p_outside))
        inside, outside = (statistics.number_holding(p, level=one_sided) for p in (of_inside, of_outside))
        estimate = sum(p <= 0.5 for p in of_inside)
        return Interval(estimate / parts, inside / parts, (parts - outside) / parts, self.level)

    def p_value(self, values: Numbers) -> float:
        """p-value of the partial conjunction "as many parts as claimed lie in the region"."""
        return statistics.partial_conjunction(
            [self.region.p_value(part) for part in values.T], at_least=self._needed(values)
        )

    def _needed(self, values: Numbers) -> int:
        return -(-self.at_least * int(values.shape[1]) // self.of)


@dataclass(frozen=True)
class Count(_Share):
    """At least so many of so many independent cases succeed; the sample is 0 or 1 a case.

    Paper's rule: the share of successes is at least `at_least / of`, whatever number of cases was run. The
    interval is Clopper and Pearson's for the probability of success.
    """

    at_least: int
    _: KW_ONLY
    of: int
    level: float = 0.95
    fewest: ClassVar[int] = 1

    def __str__(self) -> str:
        return f"at least {self.at_least} of {self.of}"

    def by_paper(self, values: Numbers) -> Outcome:
        """Compares shares in whole numbers, so that 11 of 13 is exactly 11 of 13."""
        return "reproduced" if _successes(values) * self.of >= self.at_least * len(values) else "contradicted"

    def interval(self, values: Numbers) -> Interval:
        """Clopper and Pearson's interval for the probability of success."""
        return statistics.clopper_pearson(_successes(values), len(values), level=self.level)

    def p_value(self, values: Numbers) -> float:
        """Exact binomial p-value against the claimed share."""
        return statistics.count_test(_successes(values), len(values), probability=self.at_least / self.of)


def _inside(interval: Interval, low: float, high: float) -> Outcome:
    if low <= interval.low and interval.high <= high:
        return "reproduced"
    return "contradicted" if interval.high < low or high < interval.low else "inconclusive"


def _successes(values: Numbers) -> int:
    if not set(values.tolist()) <= {0.0, 1.0}:
        raise UsageError(f"a count needs 0 or 1 a case, got {values.tolist()}; return booleans from the sample")
    return int(values.sum())


def _positive(name: str, number: float) -> None:
    if not number > 0.0:
        raise UsageError(f"{name} {number} must be positive, in the unit of the sample")
