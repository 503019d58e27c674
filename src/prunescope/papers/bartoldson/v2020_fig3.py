"""bartoldson2020/fig3: Up to which iterative rate does less stability help?

How far the trade-off goes as more is pruned at once: VGG11 under three targets at every rate.
"""

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.arms import L2, NONE, TARGETS
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published, from_ends
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.quantities import label
from prunescope.papers.bartoldson.scales import VGG11, VGG11_LAYERS, Ascending, Count, EventSize, scales_of
from prunescope.studies import correlation

COST = {"smoke": "a minute or less", "laptop": "3 hours", "paper": "a year"}
FIGURE = "Figure 3"
PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 3"
SIGNIFICANT = ps.Direction("greater", than=-0.51)
"""Pearson's correlation that has p = .05 over 15 runs: three targets, five runs each (the authors' script)."""
BASELINE = ps.Near(85.2, 0.5)
"""Accuracy without pruning, percent, in the caption of Figure 3; the tolerance is proposed here."""


class Settings(EventSize):
    """How much is run.

    periods: epochs of the full schedule between two pruning events, one arm each, ascending.
    """

    periods: Ascending[Count] = Field(default=(4, 20, 40, 60, 100, 200, 300), min_length=2)


SCALES = scales_of(Settings, smoke={"periods": (4, 300)}, laptop={"periods": (4, 40, 100, 300)})


def sweep(settings: Settings) -> Comparison:
    """Three targets at every period, and no pruning."""
    return arms.compared(
        VGG11,
        settings,
        *(
            arms.pruned(VGG11, VGG11_LAYERS, settings, letter, period=period, score=L2)
            for period in settings.periods
            for letter in TARGETS
        ),
    )


def name_of(settings: Settings, letter: str, period: int) -> str:
    """The name of an arm of the sweep."""
    return arms.title(letter, VGG11_LAYERS, settings, period)


def by_rate(runs: Comparison, settings: Settings) -> dict[str, Comparison]:
    """The three targets of each period, by the iterative rate that it gives."""
    return {
        f"{VGG11_LAYERS.rate(settings, period):.0f} %": runs.only(
            *(name_of(settings, letter, period) for letter in TARGETS)
        )
        for period in settings.periods
    }


def _figures(settings: Settings) -> Figures:
    runs, x_label = sweep(settings), "largest iterative rate, %"
    rates = {period: VGG11_LAYERS.rate(settings, period) for period in settings.periods}
    places = {
        f"Prune_{letter}": [(rate, runs, name_of(settings, letter, period)) for period, rate in rates.items()]
        for letter in TARGETS
    }
    panels = {"VGG11": places}
    where = {"mean_stability": "left", "recalibrated_stability": "left, statistics estimated anew"}
    where |= {"best": "center", "final": "center, not selected"}
    titles = {
        quantity: f"Figure 3, {at}: {label(quantity)}" for quantity, at in where.items() if runs.measures(quantity)
    }
    claims = {"mean_stability": _stability(runs, settings), "best": _accuracy(runs, settings)}
    yield from figures.each_curves("fig3", titles, panels, claims, x_label=x_label, log_x=True)
    title = "Where the trade-off ends: the rate of highest accuracy"
    yield figures.optima("fig3-optimum", title, panels, x_label=x_label, baseline=NONE)
    title, shown = "Figure 3, right: correlation at every rate", _tradeoff(runs, settings)
    yield correlation_by_rate("fig3-right", title, runs, settings, shown)
    title, pairs = "Correlations at every rate, between and within targets", figures.TRADEOFF[:2]
    yield figures.correlations("fig3-correlations", title, by_rate(runs, settings), pairs)


def correlation_by_rate(
    name: str, title: str, runs: Comparison, settings: Settings, claims: Claims, *, kind: str = "Pearson"
) -> ps.Figure:
    """The correlation of stability with best and with final accuracy over the three targets at each rate.

    A panel for each accuracy, with Fisher's interval. kind: Pearson's, or Kendall's without an interval.
    """

    def rows(accuracy: str, rate: str, targets: Comparison) -> ps.Computed:
        def make(results: ps.Results) -> ps.Table:
            points, low, high = targets.points(results, "mean_stability", accuracy), np.nan, np.nan
            r = correlation.kendall(points)
            if kind == "Pearson":
                r = correlation.pearson(points)
                low, high = (getattr(correlation.fisher_interval(r), end) for end in ("low", "high"))
            return [{"estimate": r.estimate, "low": low, "high": high, "p": r.p, "n": r.n}]

        labels = {"panel": label(accuracy), "rate": rate}
        return ps.Computed(targets.nodes("mean_stability", accuracy), make, labels)

    rates = by_rate(runs, settings)
    return ps.Figure(
        name,
        title,
        caption=f"{kind}'s correlation of mean stability and accuracy over the runs of three targets at one iterative "
        "rate. The final accuracy is not selected; the best is, on the test set, as in the authors' code.",
        rows=[rows(y, rate, targets) for y in ("best", "final") for rate, targets in rates.items()],
        plot=ps.Intervals("rate", "estimate", "low", "high", x_label=f"{kind}'s correlation", zero=True),
        claims=tuple(claims),
    )


def _stability(runs: Comparison, settings: Settings) -> Claims:
    """Stability falls with the rate."""
    says = Says(f"{PLACE} (left)")
    for letter in TARGETS:
        few, *_, many = (name_of(settings, letter, period) for period in settings.periods)
        what = f"Pruning all at once with Prune_{letter} is less stable than pruning at the lowest rate."
        yield says(f"stability-falls-{letter.lower()}", what, runs.gap(many, few, "mean_stability"), LESS)


def _accuracy(runs: Comparison, settings: Settings) -> Claims:
    """Accuracy rises up to a moderate rate with S and R, and only falls with L."""
    says, periods = Says(f"{PLACE} (center)"), settings.periods
    arms = {
        letter: [name_of(settings, letter, periods[place]) for place in (0, len(periods) // 2, -1)]
        for letter in TARGETS
    }
    for letter in ("S", "R"):
        tag, how, (few, some, many) = letter.lower(), f"With Prune_{letter}, a moderate rate beats", arms[letter]
        yield says(f"more-is-better-{tag}", f"{how} the lowest.", runs.gap(some, few), MORE)
        yield says(f"one-shot-is-worse-{tag}", f"{how} all at once.", runs.gap(some, many), MORE)
    few, _, many = arms["L"]
    yield says("less-is-better-l", "With Prune_L, the lowest rate beats all at once.", runs.gap(few, many), MORE)
    what = f"The network without pruning reaches {BASELINE.value:g} % (tolerance proposed)."
    caption = Says(f"{PLACE}, caption")
    yield caption("baseline", what, runs.value(NONE, "best"), BASELINE, as_published(settings))
    axis = Says(f"{PLACE} (center; ends of an axis in the authors' figure script)", "proposed")
    what = "Best accuracy of every target at every rate is between 85.3 and 86.38 %."
    inside, needs = from_ends(runs.pruned, 85.3, 86.38), (as_published(settings, "periods"), runs.fits("best"))
    yield axis("rates-window", what, inside, ps.Among(MORE), needs=needs)


def _tradeoff(runs: Comparison, settings: Settings) -> Claims:
    """Stability and accuracy are correlated over targets, the less the more goes at once."""
    place, ready, rates = f"{PLACE} (right)", (runs.fits("best"),), by_rate(runs, settings)
    falls = Says(f"{place}; not significant there at the highest rates")
    little = Says(f"{place}: not significant at the highest rates; which rates these are is proposed")
    r = {rate: targets.correlation("mean_stability", "best") for rate, targets in rates.items()}
    for period, rate in zip(settings.periods, rates, strict=True):
        at = f"At an iterative rate of {rate},"
        what = f"{at} stability and best accuracy are negatively correlated over three targets."
        yield falls(f"negative-{period}", what, r[rate], LESS, needs=ready)
        if period in settings.periods[-2:]:
            above = f"it is above {SIGNIFICANT.than:g}"
            what = f"{at} the correlation would not be significant over the paper's runs: {above}."
            yield little(f"not-significant-{period}", what, r[rate], SIGNIFICANT, needs=ready)
    lowest, *_, at_once = r.values()
    what = (
        "The correlation of stability and best accuracy is weaker when all is pruned at once than at the lowest rate."
    )
    weaker = (at_once - lowest).named("all at once minus lowest rate")
    yield Says(place)("tradeoff-weakens", what, weaker, MORE, needs=ready)


build = builder(
    __doc__,
    _figures,
    "Single values of Figure 3 are not in the text at hand: directions are claimed, and the ends of an axis.",
)
