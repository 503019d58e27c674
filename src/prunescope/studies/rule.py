"""The rules by which papers themselves call a result one: a verdict beside the interval's.

A study names its rule; one without has none, and only the interval decides.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Protocol

from prunescope.studies import correlation, statistics
from prunescope.studies.quantity import Estimated
from prunescope.studies.region import Direction, Outcome
from prunescope.studies.results import Numbers, Results
from prunescope.studies.share import Among, Count

if TYPE_CHECKING:
    from prunescope.studies.claim import Claim, Verdict

NONE: Outcome = "no such rule"


class Rule(Protocol):
    """What a paper itself asks of a result.

    name: what is printed over its verdicts.
    """

    name: ClassVar[str]

    def outcome(self, claim: "Claim", values: Numbers, results: Results) -> Outcome:
        """The outcome for a claim of which these are the values; "no such rule" where the paper has none for it."""

    def caution(self, verdicts: "Iterable[Verdict]") -> str:
        """How far to trust the rule, for the verdicts of a study; empty where there is nothing to say."""


class OneStandardDeviation:
    """A mean over replicates counts if it is one standard deviation away. Source: Jin et al. 2022, section 2."""

    name: ClassVar[str] = "one standard deviation (Jin et al.)"

    def outcome(self, claim: "Claim", values: Numbers, results: Results) -> Outcome:
        """That of the claim's region, see `Region.by_paper`."""
        return claim.region.by_paper(values)

    def caution(self, verdicts: "Iterable[Verdict]") -> str:
        """How often the rule fires by chance, for every number of replicates that was judged by it."""
        means = (v for v in verdicts if not isinstance(v.claim.region, Among | Count))
        counts = {v.n for v in means if v.interval is not None and not isinstance(v.claim.quantity, Estimated)}
        rates = [
            f"{100 * statistics.false_positive_rate(n):.1f}\u00a0% of the time at n\u00a0=\u00a0{n}"
            for n in sorted(counts)
        ]
        return (
            "It calls two results different when the mean difference over replicates is at least one standard "
            f"deviation from zero. When nothing differs, it still fires {', '.join(rates)}."
            if rates
            else ""
        )


class CorrelationBelow5Percent:
    """A correlation over runs counts if its two-sided p-value, as if runs were independent, is below .05.

    Other quantities have no rule. Source: Bartoldson et al. 2020, Figures 2 to 6 and the authors' scripts, which print
    Pearson's r with this p.
    """

    name: ClassVar[str] = "p of the correlation (Bartoldson et al.)"

    def outcome(self, claim: "Claim", values: Numbers, results: Results) -> Outcome:
        """By the sign of Pearson's r over all points, where the quantity has some and its sign is what is claimed."""
        points, region = getattr(claim.quantity, "points", None), claim.region
        if points is None or not isinstance(region, Direction) or region.than != 0.0:
            return NONE
        r = correlation.pearson(points(results))
        if not r.p < 0.05:
            return "inconclusive"
        return "reproduced" if (r.estimate > 0) == (region.side == "greater") else "contradicted"

    def caution(self, verdicts: "Iterable[Verdict]") -> str:
        """Runs are not independent."""
        if all(verdict.paper == NONE for verdict in verdicts):
            return ""
        return (
            "It calls a correlation one where Pearson's two-sided p over all runs is below .05. Runs of an arm share "
            "their setting and runs of a seed their initialization, so that p is too small."
        )
