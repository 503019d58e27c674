"""Figures of a network of one's own that the papers do not have: every event, and a trace with its error.

Belongs here: what only `yours.py` draws. Does not belong here: its arms and claims.
"""

from collections.abc import Iterator

import numpy as np

from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.views import ANEW, lineage
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.events import Epochs, epochs
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Lines, Table
from prunescope.studies.results import Numbers, Results


def traces(comparison: Comparison, trace: str, error: str) -> Figure:
    """The trace of every run with two standard errors; a run without an interval has the exact trace.

    trace, error: names of the look's measures.
    """

    def table(results: Results) -> Table:
        return [
            {"run": f"{name}, {seed}", "trace": float(value), "error": float(off)}
            | {"low": float(value - 2 * off), "high": float(value + 2 * off)}
            for name in comparison.by_name
            for seed, (value, off) in enumerate(
                zip(*(comparison.values(results, name, of) for of in (trace, error)), strict=True)
            )
        ]

    return Figure(
        "traces",
        f"{trace} of every run",
        caption="Exact where the network permits it; sampled otherwise, with two standard errors to each side.",
        table=table,
        plot=Intervals("run", "trace", "low", "high", x_label=trace),
        lineage=lineage({"": comparison}),
    )


def events(comparison: Comparison) -> Figure:
    """Stability and recovery of every event; the accuracies before and after it are columns of the table.

    Beside them the same with BatchNorm statistics estimated anew, if runs were looked at so.
    """

    def table(results: Results) -> Table:
        return [
            {"arm": one.name, "replicate": number, **row}
            for one in comparison.arms[1:]
            for number, run in enumerate(one.runs)
            for row in _rows(comparison, results, run)
        ]

    also = f", also {ANEW}" if comparison.look.recalibration else ""
    return Figure(
        "events",
        "Every event: stability, and epochs until accuracy is back",
        caption="An event without recovery has no point. Accuracies before and after every event are in the "
        f"table{also}.",
        table=table,
        plot=Lines(
            "epoch", "value", series="arm", x_label="epoch", y_label="", share_y=False, band="bootstrap"
        ),
        lineage={one.name: list(one.runs) for one in comparison.arms[1:]},
    )


def _rows(comparison: Comparison, results: Results, run: Recipe) -> Iterator[dict[str, object]]:
    """A row a panel of every event."""
    seen = epochs(results[comparison.test(run)])
    columns = {"epoch": seen.epoch[seen.event], **_around(seen)}
    panels = {"stability, %": seen.stability()}
    if comparison.look.recalibration:
        anew = epochs(results[comparison.recalibrated(run)])
        columns |= {f"recalibrated_{name}": values for name, values in _around(anew).items()}
        panels[f"stability {ANEW}, %"] = anew.stability()
    panels["epochs until recovery"] = seen.recovery()
    for i in range(int(np.count_nonzero(seen.event))):
        shared = {name: float(values[i]) for name, values in columns.items()}
        for panel, values in panels.items():
            yield {**shared, "panel": panel, "value": float(values[i])}


def _around(seen: Epochs) -> dict[str, Numbers]:
    """Accuracy just before and just after every event, percent."""
    return {"before": seen.before[seen.event], "after": seen.after[seen.event]}
