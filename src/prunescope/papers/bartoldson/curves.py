"""Curves over a number that arms, or the parameters of a network, differ in.

Belongs here: a quantity over the iterative rate and its like; parts of a trace by parameter. Does not belong here:
accuracy over epochs, scatters, correlations (`views.py`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from prunescope.base.value import Value
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.views import label, lineage
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Table
from prunescope.studies.results import Numbers, Results

Places = Sequence[tuple[float, Comparison, str]]
"""Of one curve: every x with a comparison and the name of its arm. Several arms may have one x."""


def by_layer(comparison: Comparison, measure: str, *, name: str, title: str) -> Figure:
    """The part of every parameter in a trace, in the order of the network."""

    def table(results: Results) -> Table:
        return [
            {"arm": one.name, "replicate": number, "parameter": part.removeprefix("trace.")}
            | {"place": float(place), "part": float(value)}
            for one in comparison.arms
            for number, run in enumerate(one.runs)
            for place, (part, value) in enumerate(_parts(results[comparison.reading(run, measure)]))
        ]

    return Figure(
        name,
        title,
        caption="Parts of the trace by parameter, in the order of the network; their names are in the table.",
        table=table,
        plot=Lines(
            "place",
            "part",
            series="arm",
            x_label="parameter, in the order of the network",
            y_label=measure,
            band="bootstrap",
        ),
        lineage=lineage({"": comparison}),
    )


def _parts(found: Mapping[str, Numbers]) -> list[tuple[str, Numbers]]:
    return [(part, value) for part, value in found.items() if part.startswith("trace.")]


def over(
    panels: Mapping[str, Mapping[str, Places]],
    quantity: str,
    *,
    name: str,
    title: str,
    x_label: str,
    y_label: str = "",
    log_x: bool = False,
    value: Callable[[Comparison, Results, str], Numbers] | None = None,
) -> Figure:
    """A quantity over a number that arms differ in, such as the iterative rate.

    panels: by panel and series, the arms; where several have one x, all their runs are drawn there, and the mean is
    over all of them. value: the quantity, computed otherwise.
    """

    def of(comparison: Comparison, results: Results, arm: str) -> Numbers:
        return value(comparison, results, arm) if value else comparison.values(results, arm, quantity)

    def table(results: Results) -> Table:
        rows: list[dict[str, object]] = []
        for panel, curves in panels.items():
            for series, places in curves.items():
                lines: Counter[float] = Counter()  # at each x so far
                for x, comparison, arm in places:
                    for number, one in enumerate(of(comparison, results, arm)):
                        where = {"panel": panel, "series": series, "arm": arm, "replicate": number, "x": x}
                        rows.append({**where, "line": lines[x], quantity: float(one)})
                        lines[x] += 1
        return rows

    return Figure(
        name,
        title,
        caption="Thin lines are replicates, the band is the 95 % bootstrap interval of their mean; where several arms "
        "have one x, of all their runs.",
        table=table,
        plot=Lines(
            "x",
            quantity,
            series="series",
            replicate="line",
            x_label=x_label,
            y_label=y_label or label(quantity),
            band="bootstrap",
            share_y=False,
            log_x=log_x,
        ),
        lineage=behind(panels),
    )


def behind(panels: Mapping[str, Mapping[str, Places]]) -> dict[str, list[Value]]:
    """The runs behind each series."""
    runs: dict[str, list[Value]] = {}
    for curves in panels.values():
        for series, places in curves.items():
            for _, comparison, arm in places:
                runs.setdefault(series, []).extend(comparison.by_name[arm].runs)
    return runs
