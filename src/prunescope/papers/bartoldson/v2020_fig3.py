"""bartoldson2020/fig3: Up to which iterative rate does less stability help?

How far the trade-off goes as more is pruned at once: VGG11 under three targets at every rate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import NONE, TARGETS
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, fits, from_ends
from prunescope.papers.bartoldson.quantities import Comparison, label
from prunescope.papers.bartoldson.scales import VGG11, VGG11_LAYERS, Ascending, Count, EventSize, scales_of, words
from prunescope.studies import correlation
from prunescope.studies.claim import Claim
from prunescope.studies.correlation import Correlation
from prunescope.studies.figure import Computed, Figure
from prunescope.studies.plot import Intervals, Table
from prunescope.studies.region import Among, Direction, Near
from prunescope.studies.results import Results
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "3 hours on 2 cores",
    "paper": "a year on 2 cores",
}
FIGURE = "Figure 3"
PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 3"
SIGNIFICANT = -0.51
"""Pearson's correlation that has p = .05 over 15 runs: three targets, five runs each (the authors' script)."""


class Settings(EventSize):
    """How much is run, and with which periods: epochs of the full schedule between events, ascending."""

    periods: Ascending[Count] = Field(default=(4, 20, 40, 60, 100, 200, 300), min_length=2)


SCALES = scales_of(Settings, smoke={"periods": (4, 300)}, laptop={"periods": (4, 40, 100, 300)})


def sweep(settings: Settings) -> Comparison:
    """Three targets at every period, and no pruning."""
    made = [
        arms.pruned(VGG11, VGG11_LAYERS, settings, letter, period=period)
        for period in settings.periods
        for letter in TARGETS
    ]
    return Comparison((arms.plain(VGG11, settings), *made), observables=arms.observables(settings))


def by_rate(one: Comparison, settings: Settings) -> dict[str, Comparison]:
    """The three targets of each period, by the iterative rate that it gives."""
    return {
        f"{VGG11_LAYERS.rate(settings, period):.0f} %": replace(
            one, arms=tuple(one.by_name[name_of(settings, letter, period)] for letter in TARGETS)
        )
        for period in settings.periods
    }


def name_of(settings: Settings, letter: str, period: int) -> str:
    """The name of an arm of the sweep."""
    return arms.title(letter, VGG11_LAYERS, settings, period)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    one = sweep(settings)
    x_label = "largest iterative rate, %"
    targets = {
        f"Prune_{letter}": [
            (VGG11_LAYERS.rate(settings, period), name_of(settings, letter, period))
            for period in settings.periods
        ]
        for letter in TARGETS
    }
    claims = {"mean_stability": _stability(one, settings), "best": _accuracy(one, settings)}
    drawn = [
        figures.curves(
            {"VGG11": {s: [(x, one.value(arm, quantity)) for x, arm in at] for s, at in targets.items()}},
            quantity,
            name=f"fig3-{quantity.replace('_', '-')}",
            title=f"Figure 3, {place}: {label(quantity)}",
            x_label=x_label,
            log_x=True,
            claims=claims.get(quantity, ()),
        )
        for place, quantity in (
            ("left", "mean_stability"),
            ("left, statistics estimated anew", "recalibrated_stability"),
            ("center", "best"),
            ("center, not selected", "final"),
        )
        if one.measures(quantity)
    ]
    title = "Figure 3, right: correlation at every rate"
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            *drawn,
            figures.optima(
                one,
                {"VGG11": targets},
                name="fig3-optimum",
                title="Where the trade-off ends: the rate of highest accuracy",
                x_label=x_label,
            ),
            correlation_by_rate(
                by_rate(one, settings), name="fig3-right", title=title, claims=_tradeoff(one, settings)
            ),
            figures.correlations(
                by_rate(one, settings),
                [("mean_stability", y) for y in ("best", "final")],
                name="fig3-correlations",
                title="Correlations at every rate, between and within targets",
            ),
        ),
        notes=(
            "Single values of Figure 3 are not in the text at hand: directions are claimed, and the ends of an axis.",
        ),
    )


def correlation_by_rate(
    rates: Mapping[str, Comparison],
    *,
    name: str,
    title: str,
    kind: str = "Pearson",
    claims: Iterator[Claim] | tuple[Claim, ...] = (),
) -> Figure:
    """The correlation of stability with best and with final accuracy over the three targets at each rate.

    A panel for each accuracy, with Fisher's interval. kind: Pearson's, or Kendall's without an interval.
    """

    def rows(accuracy: str, rate: str, one: Comparison) -> Computed:
        def make(results: Results) -> Table:
            points = one.points(results, "mean_stability", accuracy)
            found = correlation.pearson(points) if kind == "Pearson" else correlation.kendall(points)
            ends = correlation.fisher_interval(found if kind == "Pearson" else Correlation(np.nan, np.nan, 0))
            numbers = {"estimate": found.estimate, "p": found.p, "n": found.n}
            return [{**numbers, "low": ends.low, "high": ends.high}]

        return Computed(one.nodes("mean_stability", accuracy), make, {"panel": label(accuracy), "rate": rate})

    return Figure(
        name,
        title,
        caption=f"{kind}'s correlation of mean stability and accuracy over the runs of three targets at one iterative "
        "rate. The final accuracy is not selected; the best is, on the test set, as in the paper.",
        rows=[rows(accuracy, rate, one) for accuracy in ("best", "final") for rate, one in rates.items()],
        plot=Intervals("rate", "estimate", "low", "high", x_label=f"{kind}'s correlation", zero=True),
        claims=tuple(claims),
    )


def _stability(one: Comparison, settings: Settings) -> Iterator[Claim]:
    """Stability falls with the rate."""
    says = Says(one, place=f"{PLACE} (left)")
    for letter in TARGETS:
        few, *_, many = (name_of(settings, letter, period) for period in settings.periods)
        yield says.gap(
            f"stability-falls-{letter.lower()}",
            f"Pruning all at once with Prune_{letter} is less stable than pruning at the lowest rate.",
            many,
            few,
            "mean_stability",
            LESS,
        )


def _accuracy(one: Comparison, settings: Settings) -> Iterator[Claim]:
    """Accuracy rises up to a moderate rate with S and R, and only falls with L."""
    says, places = Says(one, place=f"{PLACE} (center)"), (0, len(settings.periods) // 2, -1)
    for letter in ("S", "R"):
        few, some, many = (name_of(settings, letter, settings.periods[place]) for place in places)
        tag, how = letter.lower(), f"With Prune_{letter}, a moderate rate beats"
        yield says.gap(f"more-is-better-{tag}", f"{how} the lowest.", some, few)
        yield says.gap(f"one-shot-is-worse-{tag}", f"{how} all at once.", some, many)
    few, _, many = (name_of(settings, "L", settings.periods[place]) for place in places)
    yield says.gap("less-is-better-l", "With Prune_L, the lowest rate beats all at once.", few, many)
    yield says(
        "baseline",
        "The network without pruning reaches 85.2 % (tolerance proposed).",
        one.value(NONE, "best"),
        Near(85.2, 0.5),
        place=f"{PLACE}, caption",
        needs=(as_published(settings), fits(one, "best", arms=(NONE,))),
    )
    yield says(
        "rates-window",
        "Best accuracy of every target at every rate is between 85.3 and 86.38 %.",
        from_ends(one, one.pruned, 85.3, 86.38),
        Among(MORE),
        basis="proposed",
        place=f"{PLACE} (center; ends of an axis in the authors' figure script)",
        needs=(as_published(settings, "periods"), fits(one, "best")),
    )


def _tradeoff(one: Comparison, settings: Settings) -> Iterator[Claim]:
    """Stability and accuracy are correlated over targets, the less the more goes at once."""
    says, ready = Says(one, place=f"{PLACE} (right)"), (fits(one, "best"),)
    rates = by_rate(one, settings)
    r = {rate: targets.correlation("mean_stability", "best") for rate, targets in rates.items()}
    for period, rate in zip(settings.periods, rates, strict=True):
        yield says(
            f"negative-{period}",
            f"At an iterative rate of {rate}, stability and best accuracy are negatively correlated over three "
            "targets.",
            r[rate],
            LESS,
            place=f"{PLACE} (right); not significant there at the highest rates",
            needs=ready,
        )
        if period in settings.periods[-2:]:
            yield says(
                f"not-significant-{period}",
                f"At an iterative rate of {rate}, the correlation would not be significant over the paper's runs: it "
                f"is above {SIGNIFICANT:g}.",
                r[rate],
                Direction("greater", than=SIGNIFICANT),
                place=f"{PLACE} (right): not significant at the highest rates; which rates these are is proposed",
                needs=ready,
            )
    lowest, *_, at_once = r.values()
    yield says(
        "tradeoff-weakens",
        "The correlation of stability and best accuracy is weaker when all is pruned at once than at the lowest rate.",
        (at_once - lowest).named("all at once minus lowest rate"),
        MORE,
        needs=ready,
    )
