"""jin2022/appM: By how much do the controls miss pruning, and how much worse are noisy examples fitted than original
ones?

The numbers behind Figures 4, 6 and 7, one value a noise level.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022 import fig3, fig4, fig6, fig7
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.quantities import as_long, best, best_fit_gap, fit_gap, lacks, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.studies import statistics

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "5 hours"}
FIGURE = "Tables 5 and 11"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    inside, gains = optima_inside(bench, "pruned", "extended", "width"), tuple(fig3.numbers(bench))
    note = (
        "The paper's Tables 5 and 11 were not found; these are the numbers that its text cites from them, by its "
        "definitions."
    )
    tables = [_table5(bench), *([_table11(bench)] if bench.noisy() else [])]
    return study(__doc__, size, scale, *tables, cautions=inside, claims=gains, more=[note])


def _table(
    name: str,
    title: str,
    caption: str,
    cells: Sequence[tuple[str, float, ps.Quantity]],
    column: str,
    unit: str,
    *,
    claims: tuple[ps.Claim, ...],
) -> ps.Figure:
    """A table of quantities: what it is of, noise level, mean, 95 % interval, and every replicate's."""

    def row(quantity: ps.Quantity, results: ps.Results) -> list[ps.Row]:
        values = quantity(results)
        if not len(values):
            return []
        ends = statistics.t_interval(values) if len(values) > 1 else None
        interval = {"low": ends.low, "high": ends.high} if ends else {}
        each = {f"replicate {number}": float(value) for number, value in enumerate(values)}
        return [{unit: float(values.mean()), **interval, **each}]

    rows = [
        ps.Computed(quantity.nodes, partial(row, quantity), {column: label, "label noise, %": 100 * noise})
        for label, noise, quantity in cells
    ]
    return ps.Figure(name, title, caption=caption, rows=rows, plot=ps.Listing(), claims=claims)


def _table5(bench: Benchmark) -> ps.Figure:
    longer, narrower = bench.noises_of("extended"), bench.noises_of("width")
    gaps = {noise: as_long(bench, noise) - best(bench, "pruned", noise) for noise in longer}
    where_run = {n: gap.map(lambda v: v if np.isfinite(v).any() else v[:0]) for n, gap in gaps.items()}
    return _table(
        "table5",
        "Table 5: what the controls lack",
        "Test error of a control minus that of pruning, each at its best level: extended dense training also at the "
        "level at which pruning is best (no point where it was not run so long), and narrower dense networks. Above 0, "
        "pruning generalizes better.",
        [
            *(("extended, its own best", noise, lacks(bench, noise, "extended")) for noise in longer),
            *(("extended, equal training", noise, gap) for noise, gap in where_run.items()),
            *(("width-scaled", noise, lacks(bench, noise, "width")) for noise in narrower),
        ],
        "control",
        "test error minus pruned, points",
        claims=(*fig6.numbers(bench), *fig7.numbers(bench)),
    )


def _table11(bench: Benchmark) -> ps.Figure:
    return _table(
        "table11",
        "Table 11: how much worse noisy examples are fitted",
        "Mean training loss on noisy examples minus that on original ones, of the dense network and at the optimal "
        "sparsity.",
        [
            *(("dense", noise, fit_gap(bench, "dense", noise)) for noise in bench.noisy()),
            *(("optimal sparsity", noise, best_fit_gap(bench, noise)) for noise in bench.noisy()),
        ],
        "where",
        "noisy minus original loss, nats",
        claims=tuple(fig4.numbers(bench)),
    )
