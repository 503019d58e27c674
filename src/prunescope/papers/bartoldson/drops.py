"""What every event costs, over the epochs of training.

Belongs here: the figure of single drops. Does not belong here: means of runs, accuracy over epochs (`views.py`).
"""

from collections.abc import Iterator, Sequence

from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.views import ANEW, Panels, lineage
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.events import epochs
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Table
from prunescope.studies.results import Results


def drops(panels: Panels, *, name: str, title: str, arms: Sequence[str]) -> Figure:
    """The drop in test accuracy at every event that costs any, a curve an arm.

    Where runs are looked at so, a second panel has drops with BatchNorm statistics estimated anew.

    Source: Bartoldson et al. 2019, Figure 1 left ("computed from only positive drop values").
    """

    def table(results: Results) -> Table:
        return [
            {
                "panel": panel + how,
                "arm": arm,
                "replicate": number,
                "epoch": float(epoch),
                "drop": float(drop),
            }
            for panel, comparison in panels.items()
            for arm in arms
            for number, run in enumerate(comparison.by_name[arm].runs)
            for how, trace in _traces(comparison, run)
            for seen in [epochs(results[trace])]
            for epoch, drop in zip(seen.epoch[seen.event], seen.drops(), strict=True)
            if drop > 0
        ]

    return Figure(
        name,
        title,
        caption="Test accuracy just before an event minus that just after it, without events that cost nothing. Thin "
        "lines are runs, the band is the 95 % bootstrap interval of their mean.",
        table=table,
        plot=Lines(
            "epoch",
            "drop",
            series="arm",
            x_label="epoch",
            y_label="drop in test accuracy, percentage points",
            log_y=True,
            band="bootstrap",
        ),
        lineage=lineage(panels, arms),
    )


def _traces(comparison: Comparison, run: Recipe) -> Iterator[tuple[str, Trace]]:
    yield "", comparison.test(run)
    if comparison.look.recalibration:
        yield f", {ANEW}", comparison.recalibrated(run)
