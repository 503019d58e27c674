"""jin2022/appM: By how much do the controls miss pruning, and how much worse are noisy examples fitted than original
ones?

The numbers behind Figures 4, 6 and 7, one value a noise level.
"""

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022 import fig3, fig4, fig6, fig7
from prunescope.papers.jin2022.arms import Benchmark, Numbers
from prunescope.papers.jin2022.quantities import as_long, best, best_fit_gap, fit_gap, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, notes, study

__all__ = ["SCALES", "build"]

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "5 hours"}
FIGURE = "Tables 5 and 11"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    note = (
        "The paper's Tables 5 and 11 were not found; these are the numbers that its text cites from them, by its "
        "definitions."
    )
    return study(
        __doc__,
        size,
        scale,
        figures=(_table5(bench), _table11(bench)),
        cautions=optima_inside(bench, "pruned", "extended", "width"),
        claims=tuple(fig3.numbers(bench)),
        notes=(*notes(size), note),
    )


def _table5(bench: Benchmark) -> ps.Figure:
    def run(gap: Numbers) -> Numbers:
        return gap if np.isfinite(gap).any() else gap[:0]

    gaps = [("extended, its own best", noise, fig6.lacks(bench, noise)) for noise in bench.noises_of("extended")]
    for noise in bench.noises_of("extended"):
        as_much = as_long(bench, noise) - best(bench, "pruned", noise)
        gaps.append(("extended, equal training", noise, as_much.map(run)))
    gaps += [("width-scaled", noise, fig7.lacks(bench, noise)) for noise in bench.noises_of("width")]
    y_label = "test error minus pruned, points"
    return ps.Figure(
        "table5",
        "Table 5: what the controls lack",
        caption="Test error of a control minus that of pruning, each at its best level: extended dense training also "
        "at the level at which pruning is best (no point where it was not run so long), and narrower dense networks. "
        "Above 0, pruning generalizes better.",
        rows=[ps.Rows({"control": control, "noise": 100 * noise}, {"gap": gap}) for control, noise, gap in gaps],
        plot=ps.Lines("noise", "gap", series="control", x_label="label noise, %", y_label=y_label),
        claims=(*fig6.numbers(bench), *fig7.numbers(bench)),
    )


def _table11(bench: Benchmark) -> ps.Figure:
    gaps = [("dense", noise, fit_gap(bench, "dense", noise)) for noise in bench.noisy()]
    gaps += [("optimal sparsity", noise, best_fit_gap(bench, noise)) for noise in bench.noisy()]
    y_label = "noisy minus original loss, nats"
    return ps.Figure(
        "table11",
        "Table 11: how much worse noisy examples are fitted",
        caption="Mean training loss on noisy examples minus that on original ones, of the dense network and at the "
        "optimal sparsity.",
        rows=[ps.Rows({"where": where, "noise": 100 * noise}, {"gap": gap}) for where, noise, gap in gaps],
        plot=ps.Lines("noise", "gap", series="where", x_label="label noise, %", y_label=y_label),
        claims=tuple(fig4.numbers(bench)),
    )
