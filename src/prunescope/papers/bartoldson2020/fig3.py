"""bartoldson2020/fig3: how far the trade-off goes as more is pruned at once."""

import numpy as np

from prunescope.papers.bartoldson import curves, views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.optimum import optima
from prunescope.papers.bartoldson.pruning import NONE, TARGETS, VGG11
from prunescope.papers.bartoldson.published import within
from prunescope.papers.bartoldson.sizes import PAPER_2020, words
from prunescope.papers.bartoldson.statements import POINTS, compares, fits, is_number, whole
from prunescope.papers.bartoldson2020 import rates
from prunescope.papers.bartoldson2020.rates import Settings
from prunescope.studies import correlation
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Table
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

SCALES = rates.SCALES
PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 3"
SIGNIFICANT = -0.51
"""Pearson's correlation that has p = .05 over 15 runs: three targets, five runs each (the authors' script)."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    comparison = rates.sweep(settings)
    targets = {
        f"Prune_{letter}": [
            (VGG11.rate(settings, period), comparison, rates.name_of(settings, letter, period))
            for period in settings.periods
        ]
        for letter in TARGETS
    }
    return Study(
        "bartoldson2020/fig3",
        "Up to which iterative rate does less stability help?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=(
            *(
                curves.over(
                    {"VGG11": targets},
                    quantity,
                    name=f"fig3-{quantity.replace('_', '-')}",
                    title=f"Figure 3, {place}: {views.label(quantity)}",
                    x_label="largest iterative rate, %",
                    log_x=True,
                )
                for place, quantity in (
                    ("left", "mean_stability"),
                    ("left, statistics estimated anew", "recalibrated_stability"),
                    ("center", "best"),
                    ("center, not selected", "final"),
                )
                if comparison.looks_at(quantity)
            ),
            optima(
                {"VGG11": targets},
                name="fig3-optimum",
                title="Where the trade-off ends: the rate of highest accuracy",
                x_label="largest iterative rate, %",
                baseline=NONE,
            ),
            by_rate(
                comparison, settings, name="fig3-right", title="Figure 3, right: correlation at every rate"
            ),
            views.correlations(
                rates.panels(comparison, settings),
                [("mean_stability", y) for y in ("best", "final")],
                name="fig3-correlations",
                title="Correlations at every rate, between and within targets",
            ),
        ),
        claims=_claims(comparison, settings),
        notes=(
            "Single values of Figure 3 are not in the text at hand: directions are claimed, and the ends of an axis.",
        ),
    )


def by_rate(
    comparison: Comparison, settings: Settings, *, name: str, title: str, kind: str = "Pearson"
) -> Figure:
    """The correlation of stability with best and with final accuracy over the three targets at each rate.

    A panel for each accuracy, with Fisher's interval. kind: Pearson's, or Kendall's without an interval.
    """

    def table(results: Results) -> Table:
        rows: list[dict[str, object]] = []
        for accuracy in ("best", "final"):
            for period, rate in rates.titles(settings).items():
                points = rates.points(comparison, results, settings, period, accuracy)
                found = correlation.pearson(points) if kind == "Pearson" else correlation.kendall(points)
                ends = correlation.fisher_interval(found)
                low, high = (ends.low, ends.high) if kind == "Pearson" else (np.nan, np.nan)
                numbers = {"estimate": found.estimate, "low": low, "high": high, "p": found.p, "n": found.n}
                rows.append({"panel": views.label(accuracy), "rate": rate, **numbers})
        return rows

    return Figure(
        name,
        title,
        caption=f"{kind}'s correlation of mean stability and accuracy over the runs of three targets at one iterative "
        "rate. The final accuracy is not selected; the best is, on the test set, as in the paper.",
        table=table,
        plot=Intervals("rate", "estimate", "low", "high", x_label=f"{kind}'s correlation", zero=True),
        lineage=views.lineage({"": comparison}),
    )


def _claims(comparison: Comparison, settings: Settings) -> tuple[Claim, ...]:
    ready, claims = fits(comparison, "best"), list[Claim]()
    low, high = settings.periods[0], settings.periods[-1]
    for letter in TARGETS:
        few, many = (rates.name_of(settings, letter, period) for period in (low, high))
        claims.append(
            compares(
                comparison,
                f"stability-falls-{letter.lower()}",
                f"Pruning all at once with Prune_{letter} is less stable than pruning at the lowest rate.",
                arm=many,
                over=few,
                quantity="mean_stability",
                region=Direction("less"),
                unit="points of mean stability, all at once minus lowest rate",
                place=f"{PLACE} (left)",
            )
        )
    middle = settings.periods[len(settings.periods) // 2]
    for letter in ("S", "R"):
        few, some, many = (rates.name_of(settings, letter, period) for period in (low, middle, high))
        claims += [
            _gains(
                comparison,
                f"more-is-better-{letter.lower()}",
                letter,
                some,
                few,
                "a moderate rate beats the lowest",
            ),
            _gains(
                comparison,
                f"one-shot-is-worse-{letter.lower()}",
                letter,
                some,
                many,
                "a moderate rate beats all at once",
            ),
        ]
    few, many = (rates.name_of(settings, "L", period) for period in (low, high))
    claims.append(_gains(comparison, "less-is-better-l", "L", few, many, "the lowest rate beats all at once"))
    for period, rate in rates.titles(settings).items():
        claims.append(_negative(comparison, settings, period, rate, ready))
        if period in settings.periods[-2:]:
            claims.append(_insignificant(comparison, settings, period, rate, ready))
    claims.append(_weaker(comparison, settings, ready))
    claims.append(
        is_number(
            comparison,
            "baseline",
            "The network without pruning reaches 85.2 % (tolerance proposed).",
            arm=NONE,
            quantity="best",
            value=85.2,
            tolerance=0.5,
            place=f"{PLACE}, caption",
            preconditions=(whole(settings), fits(comparison, "best", arms=(NONE,))),
        )
    )
    pruned = [name for period in settings.periods for name in rates.of_rate(settings, period)]
    claims.append(
        within(
            comparison,
            "rates-window",
            "Best accuracy of every target at every rate is between 85.3 and 86.38 %.",
            arms=pruned,
            quantity="best",
            low=85.3,
            high=86.38,
            place=f"{PLACE} (center; ends of an axis in the authors' figure script)",
            preconditions=(whole(settings, "periods"), ready),
        )
    )
    return tuple(claims)


def _gains(comparison: Comparison, name: str, letter: str, arm: str, over: str, says: str) -> Claim:
    def sample(results: Results) -> Numbers:
        return comparison.gain(results, arm, "best", over=over)

    return Claim(
        name,
        f"With Prune_{letter}, {says}.",
        basis="paper",
        place=f"{PLACE} (center)",
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits(comparison, "best", arms=(arm, over)),),
        unit=f"{POINTS} of best test accuracy, {arm} minus {over}",
    )


def _negative(
    comparison: Comparison, settings: Settings, period: int, rate: str, ready: Precondition
) -> Claim:
    return Claim(
        f"negative-{period}",
        f"At an iterative rate of {rate}, stability and best accuracy are negatively correlated over three targets.",
        basis="paper",
        place=f"{PLACE} (right); not significant there at the highest rates",
        region=Direction("less"),
        sample=lambda r: _pearson(comparison, r, settings, period),
        preconditions=(ready,),
        unit="jackknife pseudo-values, one a replicate, of Pearson's correlation",
    )


def _insignificant(
    comparison: Comparison, settings: Settings, period: int, rate: str, ready: Precondition
) -> Claim:
    return Claim(
        f"not-significant-{period}",
        f"At an iterative rate of {rate}, the correlation would not be significant over the paper's runs: it is above "
        f"{SIGNIFICANT:g}.",
        basis="paper",
        place=f"{PLACE} (right): not significant at the highest rates; which rates these are is proposed",
        region=Direction("greater", than=SIGNIFICANT),
        sample=lambda r: _pearson(comparison, r, settings, period),
        preconditions=(ready,),
        unit="jackknife pseudo-values, one a replicate, of Pearson's correlation",
    )


def _weaker(comparison: Comparison, settings: Settings, ready: Precondition) -> Claim:
    def sample(results: Results) -> Numbers:
        low, high = (
            _pearson(comparison, results, settings, period)
            for period in (settings.periods[0], settings.periods[-1])
        )
        return high - low

    return Claim(
        "tradeoff-weakens",
        "The correlation of stability and best accuracy is weaker when all is pruned at once than at the lowest rate.",
        basis="paper",
        place=f"{PLACE} (right)",
        region=Direction("greater"),
        sample=sample,
        preconditions=(ready,),
        unit="jackknife pseudo-values, one a replicate, of Pearson's correlation, all at once minus lowest rate",
    )


def _pearson(comparison: Comparison, results: Results, settings: Settings, period: int) -> Numbers:
    """Jackknife pseudo-values, one a replicate, of the correlation over three targets at one rate."""
    return correlation.pseudo_values(rates.points(comparison, results, settings, period), correlation.r)
