"""bartoldson2020/appC: Where does less stability stop helping, and can little of it help under SGD?

The limits of the trade-off: more pruned in all, Kendall's correlations, tiny steps with SGD.
"""

from typing import Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, v2020_fig3
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import GAP, Figures, builder
from prunescope.papers.bartoldson.scales import RESNET18_MORE, RESNET18_SGD, scales_of
from prunescope.studies import correlation

COST = {"smoke": "a minute or less", "laptop": "3 hours", "paper": "a year"}
FIGURE = "Appendix C"
PLACE = "Bartoldson et al. 2020, section 3.2 and appendix C"
Part = Literal["C1", "C2", "C3"]
X = "mean_stability"


class Settings(v2020_fig3.Settings):
    """How much is run, and which parts.

    parts: C1 (Table C1), C2 (Figures C1 and C2), C3 (Figure C3).
    """

    parts: tuple[Part, ...] = Field(default=("C1", "C2", "C3"), min_length=1)


SCALES = scales_of(
    Settings, smoke={"periods": (4, 300), "parts": ("C2",)}, laptop={"periods": (4, 40, 100, 300), "parts": ("C2",)}
)


def tiny(settings: Settings) -> Comparison:
    """ResNet18 under SGD, one small event an epoch: 10 %, 6 % and nothing of every convolution inside the blocks."""
    group, made = RESNET18_SGD, []
    for share in (0.06, 0.1):
        layers = arms.blocks(group.recipe(settings).task.network, start=24, end=100, fraction=share)
        name = f"Prune_S {100 * share:g} % in all"
        made.append(arms.pruned(group, layers, settings, "S", period=1, score=arms.L1, name=name))
    return arms.compared(group, settings, *made)


def _figures(settings: Settings) -> Figures:
    makers = {"C1": _c1, "C2": _c2, "C3": _c3}
    return (figure for part in settings.parts for figure in makers[part](settings))


def _c1(settings: Settings) -> Figures:
    """Table C1: ResNet18 with 59 % of the parameters pruned."""
    runs = arms.resnet18(settings, RESNET18_MORE)
    says, panel, (_, _, small, large) = Says(PLACE), "ResNet18, 59 % pruned", runs.names
    what = "With 59 % pruned, Prune_L no longer beats Prune_S at the high rate."
    worse = says("large-no-longer-best", what, runs.gap(large, small), LESS)
    table = Says(f"{PLACE} (Table C1)")
    gone = table.gone("parameters-gone-59", runs, large, 59.0, "structural", settings)
    title, shown = "Table C1: accuracy and stability at 59 % pruned", ("best", "final", X, "structural")
    yield figures.means("tablec1", title, {panel: runs}, shown, [worse, gone])
    what = "With 59 % of ResNet18's parameters pruned, best accuracy still falls with mean stability."
    still, title = says("tradeoff-at-59", what, runs.pruned.correlation(X, "best"), LESS), "Correlations at 59 % pruned"
    yield figures.correlations("tablec1-correlations", title, {panel: runs.pruned}, claims=[still])


def _c2(settings: Settings) -> Figures:
    """Figures C1 and C2: every rate's points, and Kendall's correlation at every rate."""
    runs = v2020_fig3.sweep(settings)
    rates, title = v2020_fig3.by_rate(runs, settings), "Figure C1: stability and accuracy"
    yield figures.scatter("figc1", f"{title} by rate", rates, X, "best")
    yield figures.scatter("figc1-final", f"{title} that is not selected by rate", rates, X, "final")
    says, claims = Says("Bartoldson et al. 2020, caption of Figure 3, and appendix C"), []
    for period, (rate, targets) in zip(settings.periods, rates.items(), strict=True):
        what = f"At an iterative rate of {rate}, Kendall's correlation of stability and best accuracy is negative too."
        tau, needs = targets.correlation(X, "best", correlation.tau, unit="Kendall's tau"), (targets.fits("best"),)
        claims.append(says(f"kendall-negative-{period}", what, tau, LESS, needs=needs))
    title = "Figure C2: Kendall's correlation at every rate"
    yield v2020_fig3.correlation_by_rate("figc2", title, runs, settings, claims, kind="Kendall")


def _c3(settings: Settings) -> Figures:
    """Figure C3: tiny events every epoch, with SGD."""
    runs = tiny(settings)
    panels = {"ResNet18, SGD": runs}
    for quantity, what in (("best", "accuracy"), ("gap", "gap"), ("final", "accuracy, not selected")):
        yield figures.scatter(f"figc3-{quantity}", f"Figure C3: stability and {what}", panels, X, quantity)
    shown = ("best", "final", "gap", X)
    yield figures.means("figc3-means", "Means of every arm", panels, shown, _gentle(runs, settings))


def _gentle(runs: Comparison, settings: Settings) -> Claims:
    """A little pruning helps, by as much as the authors' figure script says."""
    none, _, arm = runs.names
    what = "Under SGD, the less stable of two gentle schedules (10 % in all) beats no pruning."
    yield Says(f"{PLACE}.4")("less-stable-beats-baseline", what, runs.gap(arm, none), MORE, needs=())
    script = "Figure C3 (where the authors' figure script puts its annotations)"
    says, paper = Says(f"Bartoldson et al. 2020, {script}", "proposed"), (as_published(settings),)
    for quantity, what, number in (
        ("best", "best accuracy, %,", ps.Near(93.7, 0.5)),
        ("gap", "gap, points,", ps.Near(6.5, 0.5)),
        (X, "mean stability, %,", ps.Near(100.0, 2.0)),
    ):
        what = f"The {what} of that schedule is about {number.value:g} (tolerance proposed)."
        yield says(f"gentle-{quantity.replace('_', '-')}", what, runs.value(arm, quantity), number, needs=paper)


build = builder(
    __doc__,
    _figures,
    GAP,
    "The numbers of Table C1 and of Figures C1 and C2 are not in the text at hand: directions are claimed.",
)
