"""What a claim asserts about a number, or about several: the kinds of region, each with two ways to decide.

`by_paper` is the rule of one standard deviation (`rule.OneStandardDeviation`); it is easily fooled by few replicates.
`by_interval` says "reproduced" only if all of the confidence interval lies inside, "contradicted" only if none does.
"""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.studies import statistics
from prunescope.studies.checked import Checked
from prunescope.studies.looks import repeated_level, repeated_p
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


class Region(ABC):
    """A claimed set of values; a subclass is a frozen dataclass.

    level: of the confidence interval.
    two_sided: whether p is small for a "contradicted", too, so that Holm's correction is for that as well.
    """

    two_sided: ClassVar[bool] = False
    level: float

    @property
    def fewest(self) -> int:
        """The smallest sample it can be decided from."""
        return 2

    @abstractmethod
    def by_paper(self, values: Numbers) -> Outcome:
        """The outcome by the paper's own rule."""

    @abstractmethod
    def by_interval(self, interval: Interval) -> Outcome:
        """The outcome of comparing the whole interval with the region."""

    @abstractmethod
    def interval(self, values: Numbers) -> Interval:
        """The confidence interval of the claimed quantity."""

    @abstractmethod
    def p_value(self, values: Numbers) -> float:
        """p-value against "outside the region": one-sided, unless the region is `two_sided`."""

    def unit(self, quantity: str, n: int) -> str:
        """What the interval is of, as it is printed: of n values of a quantity."""
        return quantity

    def over(self, quantity: str) -> str:
        """What there are n values of, as it is printed."""
        return "replicates"

    def at_looks(self, at: tuple[int, ...]) -> Self:
        """The same with an interval that holds at all these numbers of replicates together.

        Each look gets an equal part of the error. Source: Bonferroni's inequality.
        """
        return self._at(1.0 - (1.0 - self.level) / len(at))

    def _at(self, level: float) -> Self:
        return replace(self, level=level)  # type: ignore[type-var]  # a dataclass


class _Mean(Checked, Region):
    """What regions of a mean share: Student's interval."""

    def interval(self, values: Numbers) -> Interval:
        """Student's interval of the mean."""
        return statistics.t_interval(values, level=self.level)

    def at_looks(self, at: tuple[int, ...]) -> Self:
        """See `Region.at_looks`; at the `repeated_level`."""
        return self._at(repeated_level(self.level, at))


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
        super().__post_init__()
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

    def holds(self, values: Numbers) -> bool:
        """Whether the estimate lies in the region; on its edge only if it may match."""
        beyond = self._sign * (self._estimate(values) - self._edge)
        return beyond > 0.0 or (self.or_matches and beyond == 0.0)

    def _estimate(self, values: Numbers) -> float:
        return float(values.mean())


@dataclass(frozen=True)
class TwoSided(Direction):
    """The mean is less, or greater, than a number, and the opposite is a finding as well: p is two-sided.

    So Holm's correction holds for findings of either kind, "contradicted" included, see `Verdict.stands`.
    Replicates that are all alike, by a small test set or since seeds change nothing, say nothing of chance.

    looks: numbers of replicates at which it is judged; p holds at all of them. None: it is judged once.
    """

    two_sided: ClassVar[bool] = True
    _: KW_ONLY
    looks: tuple[int, ...] = ()

    def at_looks(self, at: tuple[int, ...]) -> Self:
        """The same with an interval and a p that hold at all looks."""
        return replace(super().at_looks(at), looks=at)

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the interval has a width and excludes `than`."""
        return super().by_interval(interval) if interval.has_width else "inconclusive"

    def p_value(self, values: Numbers) -> float:
        """Two-sided p-value of a mean that is not `than`; 1 where all replicates are alike."""
        if not self.interval(values).has_width:
            return 1.0
        one_sided = super().p_value(values)
        p = 2.0 * min(one_sided, 1.0 - one_sided)
        return repeated_p(p, self.looks) if self.looks else p


@dataclass(frozen=True)
class CorrelationDirection(Direction):
    """The correlation is less, or greater, than a number: its interval and p are of its Fisher transform.

    ranked: how many things each correlation is over, such as groups of examples.
    """

    _: KW_ONLY
    ranked: Annotated[int, Field(ge=2)]

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
        super().__post_init__()
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
        return inside(interval, self.value - self.tolerance, self.value + self.tolerance)

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
        super().__post_init__()
        _positive("margin", self.margin)

    def __str__(self) -> str:
        return f"within ±{self.margin:g} of 0"

    def by_paper(self, values: Numbers) -> Outcome:
        """Reproduced unless the values differ from zero by one standard deviation."""
        return "contradicted" if statistics.differs(values) else "reproduced"

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the interval lies wholly inside or wholly outside ±margin."""
        return inside(interval, -self.margin, self.margin)

    def p_value(self, values: Numbers) -> float:
        """Two one-sided tests against the margin."""
        return statistics.equivalence_test(values, margin=self.margin)

    def p_outside(self, values: Numbers) -> float:
        """p-value of "beyond the margin", on whichever side: the smaller of two one-sided ones, doubled."""
        above, below = (statistics.t_test(side * values, than=self.margin) for side in (1.0, -1.0))
        return min(1.0, 2.0 * min(above, below))

    def holds(self, values: Numbers) -> bool:
        """Whether the mean lies within ±margin."""
        return abs(float(values.mean())) <= self.margin


def inside(interval: Interval, low: float, high: float) -> Outcome:
    """Decided if the whole interval lies within [low, high], or none of it does."""
    if low <= interval.low and interval.high <= high:
        return "reproduced"
    return "contradicted" if interval.high < low or high < interval.low else "inconclusive"


def _positive(name: str, number: float) -> None:
    if not number > 0.0:
        raise UsageError(f"{name} {number} must be positive, in the unit of the sample")
