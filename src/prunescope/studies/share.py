"""Regions of several parts or cases: at least so many of so many lie in a region, or succeed."""

import re
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from prunescope.base.errors import UsageError
from prunescope.studies import statistics
from prunescope.studies.checked import Checked
from prunescope.studies.region import Direction, Equivalence, Outcome, Region, inside
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

SHARE = "share of "
"""How a quantity begins that names its parts: "share of groups not harmed"."""


class _Share(Checked, Region):
    """What regions of a share have in common: at least so many of so many."""

    counted: ClassVar[str]
    at_least: int
    of: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.at_least <= self.of:
            raise UsageError(f"at least {self.at_least} of {self.of} is not a count; need 1 <= at_least <= of")

    def unit(self, quantity: str, n: int) -> str:
        """A share, whatever the unit of each; as the quantity says it where it names the share itself."""
        return quantity if quantity.startswith(SHARE) else f"{SHARE}{n} {self.counted}"

    def over(self, quantity: str) -> str:
        """The parts or cases, as the quantity calls them where it names the share itself."""
        return re.split("[ ,]", quantity.removeprefix(SHARE))[0] if quantity.startswith(SHARE) else self.counted

    def by_interval(self, interval: Interval) -> Outcome:
        """Decided if the whole interval is at or above the claimed share, or below it."""
        return inside(interval, self.at_least / self.of, 1.0)


@dataclass(frozen=True)
class Among(_Share):
    """Of several parts (groups of examples, levels, benchmarks) at least so large a share lies in a region: [R, parts].

    Parts may share replicates and depend on each other in any way, so they are no cases of a binomial: each part is
    tested over its replicates, and the interval is for the share of parts whose mean lies in the region. Its low end
    counts the parts that are shown to be inside, its high end all but those shown to be outside, at 97.5 % each. By
    default all parts have to. p holds whatever parts share; the two ends, each the largest count whose p is small,
    hold for parts that are independent or rise and fall together (as Hochberg's procedure, by the same inequality).

    Paper's rule: at least that share is "reproduced" by the paper's rule for one part; contradicted where that is out
    of reach even if all inconclusive parts were. chance: how often that rule calls a part outside where nothing
    differs; as many parts may then be outside as are so by chance in 95 of 100 cases (independent parts).

    Source: Benjamini and Heller 2008 (partial conjunctions of dependent hypotheses); Hochberg 1988, Sarkar 1998.
    """

    counted: ClassVar[str] = "parts"
    region: Direction | Equivalence
    _: KW_ONLY
    at_least: int = 1
    of: int = 1
    chance: float = 0.0
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.region.two_sided:
            raise UsageError("TwoSided has one p for both sides, by which no part can be counted; use Direction")

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
        """The share of parts with their mean, or median, inside, and simultaneous bounds on it."""
        parts, one_sided = values.shape[1], (1.0 + self.level) / 2.0
        of_inside, of_outside = ([p(part) for part in values.T] for p in (self.region.p_value, self.region.p_outside))
        inside, outside = (statistics.number_holding(p, level=one_sided) for p in (of_inside, of_outside))
        estimate = sum(self.region.holds(part) for part in values.T)
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

    counted: ClassVar[str] = "cases"
    at_least: int
    _: KW_ONLY
    of: int
    level: float = 0.95

    @property
    def fewest(self) -> int:
        """One case."""
        return 1

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


def _successes(values: Numbers) -> int:
    if not set(values.tolist()) <= {0.0, 1.0}:
        raise UsageError(f"a count needs 0 or 1 a case, got {values.tolist()}; return booleans from the sample")
    return int(values.sum())
