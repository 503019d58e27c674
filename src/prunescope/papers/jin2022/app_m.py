"""jin2022/appM: By how much do the controls miss pruning, and how much worse are noisy examples fitted than original
ones?

The numbers behind Figures 4, 6 and 7, one value a noise level.
"""

from collections.abc import Iterator

import numpy as np

from prunescope.papers.jin2022 import fig3, fig4, fig6, fig7
from prunescope.papers.jin2022.arms import Benchmark, Numbers
from prunescope.papers.jin2022.quantities import as_long, best, best_fit_gap, fit_gap, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, notes, study
from prunescope.studies import Figure, Lines, Rows, Study

__all__ = ["SCALES", "build"]

COST = {
    "smoke": "half a minute or less on 2 cores",
    "laptop": "1 hour on 2 cores",
    "paper": "5 hours on 2 cores",
}
FIGURE = "Tables 5 and 11"


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    return study(
        __doc__,
        size,
        scale,
        figures=(_table5(bench), _table11(bench)),
        cautions=optima_inside(bench, "pruned", "extended", "width"),
        claims=tuple(fig3.numbers(bench)),
        notes=(
            *notes(size),
            "The paper's Tables 5 and 11 were not found; these are the numbers that its text cites from them, by "
            "its definitions.",
        ),
    )


def _table5(bench: Benchmark) -> Figure:
    return Figure(
        "table5",
        "Table 5: what the controls lack",
        caption="Test error of a control minus that of pruning, each at its best level: extended dense training also "
        "at the level at which pruning is best (no point where it was not run so long), and narrower dense networks. "
        "Above 0, pruning generalizes better.",
        rows=list(_gaps(bench)),
        plot=Lines(
            "noise",
            "gap",
            series="control",
            x_label="label noise, %",
            y_label="test error minus pruned, points",
        ),
        claims=(*fig6.numbers(bench), *fig7.numbers(bench)),
    )


def _gaps(bench: Benchmark) -> Iterator[Rows]:
    """What each control lacks at each noise level, percentage points of test error."""

    def run(gap: Numbers) -> Numbers:
        return gap if np.isfinite(gap).any() else gap[:0]

    for noise in bench.noises:
        controls = {}
        if bench.depth("extended", noise):
            controls["extended, its own best"] = best(bench, "extended", noise)
            controls["extended, equal training"] = as_long(bench, noise)
        if bench.depth("width", noise):
            controls["width-scaled"] = best(bench, "width", noise)
        for name, error in controls.items():
            gap = error - best(bench, "pruned", noise)
            yield Rows({"control": name, "noise": 100 * noise}, {"gap": gap.map(run)})


def _table11(bench: Benchmark) -> Figure:
    return Figure(
        "table11",
        "Table 11: how much worse noisy examples are fitted",
        caption="Mean training loss on noisy examples minus that on original ones, of the dense network and at the "
        "optimal sparsity.",
        rows=[
            Rows({"where": where, "noise": 100 * noise}, {"gap": gap})
            for noise in bench.noisy()
            for where, gap in (
                ("dense", fit_gap(bench, "dense", noise)),
                ("optimal sparsity", best_fit_gap(bench, noise)),
            )
        ],
        plot=Lines(
            "noise",
            "gap",
            series="where",
            x_label="label noise, %",
            y_label="noisy minus original loss, nats",
        ),
        claims=tuple(fig4.numbers(bench, *bench.noisy())),
    )
