"""Where a sweep stops helping: the number at which the mean over runs is highest.

Belongs here: the optimum of a sweep with its interval. Does not belong here: the sweep's curves (`curves.py`).
"""

from collections.abc import Mapping

import numpy as np

from prunescope.base.streams import stream
from prunescope.papers.bartoldson.curves import Places, behind
from prunescope.papers.bartoldson.views import label
from prunescope.studies import statistics
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Table
from prunescope.studies.results import Numbers, Results
from prunescope.studies.statistics import Interval

RESAMPLES = 2000


def optimum(x: Numbers, values: Numbers) -> Interval:
    """The x [P] at which the mean over replicates of values [P, R] is highest, the first of several.

    With the 95 % bootstrap interval: replicates are drawn with replacement, the same ones at every x, because arms of a
    seed share their initialization and the order of their batches.
    """

    def highest(seeds: Numbers) -> float:
        return float(x[values[:, seeds.astype(np.int64)].mean(axis=1).argmax()])

    replicates = np.arange(values.shape[1], dtype=np.float64)
    return statistics.bootstrap_interval(
        replicates, stream(0, "optimum"), statistic=highest, resamples=RESAMPLES
    )


def optima(
    panels: Mapping[str, Mapping[str, Places]], *, name: str, title: str, x_label: str, baseline: str
) -> Figure:
    """The x of the highest mean accuracy of every curve, best and final.

    panels: as of `curves.over`. baseline: the arm whose accuracy stands beside that at the optimum in the table.
    """

    def row(results: Results, quantity: str, places: Places) -> dict[str, object]:
        values = np.array([one.values(results, arm, quantity) for _, one, arm in places])
        found = optimum(np.array([x for x, _, _ in places]), values)
        _, comparison, _ = places[0]
        return {
            "x": found.estimate,
            "low": found.low,
            "high": found.high,
            "accuracy": float(values.mean(axis=1).max()),
            baseline: float(comparison.values(results, baseline, quantity).mean()),
            "n": values.shape[1],
        }

    def table(results: Results) -> Table:
        return [
            {"panel": f"{panel}: {label(quantity)}", "series": series, **row(results, quantity, places)}
            for quantity in ("best", "final")
            for panel, curves in panels.items()
            for series, places in curves.items()
        ]

    return Figure(
        name,
        title,
        caption="Of those that were run, with the 95 % bootstrap interval over replicates, which is too narrow for a "
        "few of them. The mean accuracy there and that without pruning are in the table.",
        table=table,
        plot=Intervals("series", "x", "low", "high", x_label=x_label),
        lineage=behind(panels),
    )
