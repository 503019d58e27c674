"""jin2022/appM: the numbers behind Figures 4, 6 and 7, one value a noise level."""

from collections.abc import Callable, Mapping

import numpy as np

from prunescope.papers.jin2022 import fitting, published, statements
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import noisy
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines
from prunescope.studies.results import Results
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

Gap = Callable[[Results, float], Numbers]
"""A number a replicate at a noise level."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    shown: tuple[Arm, ...] = ("pruned", "extended", "width")
    lacking = (*published.extended_gaps(bench), *published.width_gaps(bench))
    fit = published.fit_gaps(bench)
    return Study(
        "jin2022/appM",
        "By how much do the controls miss pruning, and how much worse are noisy examples fitted than original ones?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=bench.nodes_of(*shown),
        figures=(_table5(bench).about(*lacking), _table11(bench).about(*fit)),
        cautions=statements.optima_inside(bench, *shown),
        claims=(*published.gains(bench), *lacking, *fit),
        notes=(
            *notes(size),
            "The paper's Tables 5 and 11 were not found; these are the numbers that its text cites from them, by "
            "its definitions.",
        ),
    )


def gaps(bench: Benchmark) -> Mapping[str, tuple[Arm, Gap]]:
    """What each control lacks at each noise level, percentage points of test error, and the arm that it needs."""

    def behind(arm: Arm) -> Gap:
        return lambda r, noise: bench.at_best(r, arm, noise) - bench.at_best(r, "pruned", noise)

    return {
        "extended, its own best": ("extended", behind("extended")),
        "extended, equal training": ("extended", lambda r, noise: published.as_long(bench, noise, r)),
        "width-scaled": ("width", behind("width")),
    }


def _table5(bench: Benchmark) -> Figure:
    def table(results: Results) -> list[dict[str, object]]:
        return [
            {"control": name, "noise": 100 * noise, "replicate": number, "gap": float(gap)}
            for name, (arm, measure) in gaps(bench).items()
            for noise in bench.noises_of(arm)
            for number, gap in enumerate(measure(results, noise))
            if np.isfinite(gap)
        ]

    return Figure(
        "table5",
        "Table 5: what the controls lack",
        caption="Test error of a control minus that of pruning, each at its best level: extended dense training also "
        "at the level at which pruning is best (no point where it was not run so long), and narrower dense networks. "
        "Above 0, pruning generalizes better.",
        table=table,
        plot=Lines(
            "noise",
            "gap",
            series="control",
            x_label="label noise, %",
            y_label="test error minus pruned, points",
        ),
        lineage={"all": [point.recipe for point in bench.points]},
    )


def _table11(bench: Benchmark) -> Figure:
    def level(results: Results, where: str, noise: float) -> int:
        return 0 if where == "dense" else bench.best_level(results, "pruned", noise)

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {"where": where, "noise": 100 * noise, "replicate": number, "gap": float(gap)}
            for where in ("dense", "optimal sparsity")
            for noise in noisy(bench)
            for number, gap in enumerate(
                fitting.fit_gap(bench, results, "pruned", noise, level(results, where, noise))
            )
        ]

    return Figure(
        "table11",
        "Table 11: how much worse noisy examples are fitted",
        caption="Mean training loss on noisy examples minus that on original ones, of the dense network and at the "
        "optimal sparsity.",
        table=table,
        plot=Lines(
            "noise",
            "gap",
            series="where",
            x_label="label noise, %",
            y_label="noisy minus original loss, nats",
        ),
        lineage={"all": [p.recipe for p in bench.points if p.noise > 0 and p.arm in ("dense", "pruned")]},
    )
