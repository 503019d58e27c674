"""bartoldson2019/fig1: Do ways of pruning that disrupt a network more generalize better?

Four ways to prune VGG11: the larger the drops, the better the generalization.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published, p_value
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.quantities import ANEW, POINTS
from prunescope.papers.bartoldson.scales import FAST, SLOW, VGG11, VGG11_LAYERS, EventSize, scales_of
from prunescope.studies.events import epochs

COST = {"smoke": "a minute or less", "laptop": "1 hour", "paper": "months"}
FIGURE = "Figure 1"
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 1"
Settings = EventSize
SCALES = scales_of(EventSize)


def comparison(size: EventSize) -> Comparison:
    """No pruning, and the four algorithms: which four they are is proposed here, the legend is not at hand."""
    ways = (("S", SLOW, "E[BN]"), ("S", SLOW, "l2"), ("S", FAST, "E[BN]"), ("L", FAST, "E[BN]"))
    made = [arms.scored(VGG11, VGG11_LAYERS, size, letter, score, period=period) for letter, period, score in ways]
    return arms.compared(VGG11, size, *made)


def _figures(size: EventSize) -> Figures:
    runs, x, y = comparison(size), "mean_drop", "final"
    pruned = {"VGG11": runs.pruned}
    yield _every_drop(runs.pruned)
    title, shown = "Mean drops and accuracies of every arm", ("mean_positive_drop", x, "best", "train_at_best", y)
    yield figures.means("fig1-means", title, {"VGG11": runs}, shown, _drops(runs, size))
    title = "Figure 1, right: drop and accuracy"
    yield figures.scatter("fig1-right", title, pruned, x, y, _accuracy(runs.pruned, size))
    title, pairs = "Correlations of drop and accuracy", ((x, y), (x, "best"), ("recalibrated_drop", y))
    yield figures.correlations("fig1-correlations", title, pruned, pairs)


def _every_drop(runs: Comparison) -> ps.Figure:
    """The drop in test accuracy at every event that costs any, a curve an arm.

    Where they are measured, a second panel has drops with BatchNorm statistics estimated anew.

    Source: Bartoldson et al. 2019, Figure 1 left ("computed from only positive drop values").
    """

    def positive(trace: Mapping[str, Any]) -> Iterator[ps.Row]:
        table = epochs(trace)
        for epoch, drop in zip(table.epoch[table.event], table.drops(), strict=True):
            if drop > 0:
                yield {"epoch": float(epoch), "drop": float(drop)}

    looks: dict[str, Callable[[ps.Recipe], ps.Trace]] = {"VGG11": runs.observables.accuracy}
    if runs.observables.recalibration:
        looks[f"VGG11, {ANEW}"] = runs.observables.recalibrated
    return ps.Figure(
        "fig1-left",
        "Figure 1, left: what every event costs",
        caption="Test accuracy just before an event minus that just after it, without events that cost nothing. Thin "
        "lines are runs, the band is the 95 % bootstrap interval of their mean.",
        rows=[
            figures.of_each({"panel": panel, "arm": arm}, [look(run) for run in runs.recipes(arm)], positive)
            for panel, look in looks.items()
            for arm in runs.names
        ],
        plot=figures.over_runs("epoch", "drop", "epoch", f"drop in test accuracy, {POINTS}", log_y=True),
    )


def _drops(runs: Comparison, size: EventSize) -> Claims:
    """At the low rate E[BN] disrupts less than norms; and how much is removed in all."""
    _, gentle, by_norm, _, large = runs.names
    caption = Says(f"{PLACE}, caption (of 9,231,114)")
    yield caption.gone("parameters-gone", runs, large, 42.0, "own", size)
    says, gap = Says("Bartoldson et al. 2019, section 3.2"), runs.gap(gentle, by_norm, "mean_drop")
    what = "At the low rate, E[BN] disrupts test accuracy less than filters' l2 norms."
    yield says("expected-activation-is-gentler", what, gap, LESS)
    what = "At the low rate, E[BN] lowers the mean drop by 0.02 points (tolerance proposed)."
    yield says("expected-activation-is-gentler-by", what, gap, ps.Near(-0.02, 0.02), as_published(size))


def _accuracy(runs: Comparison, size: EventSize) -> Claims:
    """Accuracy rises with the drop, as much as is printed."""
    r, p = runs.correlation("mean_drop", "final"), p_value(runs, "mean_drop", "final", "greater", runs=40)
    what = "Over the runs of four algorithms, final test accuracy rises with the mean drop."
    yield Says(PLACE)("drop-and-accuracy", what, r, MORE)
    which = "which four algorithms it is of is proposed here"
    what = "That correlation is .84 (tolerance: Fisher's interval at 40 runs)."
    says = Says(f"{PLACE} gives r = .84; {which}", "proposed")
    yield says("drop-and-accuracy-r", what, r, ps.Near(0.84, 0.13), as_published(size))
    what = "Its p-value is 1.6e-11 (tolerance: at the farther end of Fisher's interval at 40 runs)."
    says = Says(f"{PLACE} gives p = 1.6e-11; {which}", "proposed")
    yield says("drop-and-accuracy-p", what, p, ps.Near(-10.8, 4.9), as_published(size))


build = builder(
    __doc__,
    _figures,
    "Accuracy is the final one, as in the paper (section 3.1); that of the best epoch stands beside it.",
    "Which four algorithms Figure 1 shows is not known here; these four are proposed. Pruning by l2 norms leaves the "
    "bias of normalization alone, as in the paper, which adds to its drops.",
    "The printed p-value of the difference between E[BN] and l2 norms at the low rate, 10e-10, is not claimed: the "
    "text does not say what was tested, nor over what.",
)
