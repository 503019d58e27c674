"""What a page shows of a figure when somebody points at it: the numbers and the runs of every drawn point.

Points are in the order in which `plots.py` and `scatters.py` draw them; `templates/report.js` shows them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prunescope.studies.curves import band, centre, number, sort_curves
from prunescope.studies.figure import Computed, Rows, runs_behind
from prunescope.studies.plot import Intervals, Lines, Plot, Row, Scatter, Table, by_name

MOST_RUNS = 40
"""Runs that are named of one point at most."""

Point = list[Any]
"""x, y, low, high, values of the replicates, place of its runs in the list of all; null where there is none."""


def points_of(plot: Plot, parts: Sequence[tuple[Rows | Computed, Table]]) -> dict[str, Any]:
    """Names of the axes, series by panel with their points, and runs; empty for plots that nobody points at.

    parts: the parts of a figure, each with its rows.
    """
    table = [row for _, rows in parts for row in rows]
    behind = _Runs(plot, parts)
    if isinstance(plot, Lines):
        panels = [
            [_series(curve.style, curve.label, _of_curve(plot, curve, behind(panel))) for curve in curves]
            for panel, curves in sort_curves(plot, table).items()
        ]
    elif isinstance(plot, Scatter):
        names = list(by_name(table, plot.series))
        clouds = [
            [
                _series(names.index(name), name, _of_cloud(plot, rows, behind))
                for name, rows in by_name(panel, plot.series).items()
            ]
            for panel in by_name(table, plot.panel).values()
        ]
        panels = [panel for panel in clouds if any(series["points"] for series in panel)]
    elif isinstance(plot, Intervals):
        panels = [
            [_series(0, plot.x_label or plot.estimate, [_of_row(plot, row, behind) for row in rows])]
            for rows in by_name(table, plot.panel).values()
        ]
    else:
        return {}
    axes = (plot.label, plot.estimate) if isinstance(plot, Intervals) else (plot.x, plot.y)
    labels = [getattr(plot, f"{name}_label", "") or column for name, column in zip("xy", axes, strict=True)]
    return {"axes": labels, "panels": panels, "runs": behind.lists}


def _series(style: int, name: str, points: list[Point]) -> dict[str, Any]:
    return {"s": style, "name": name, "points": points}


class _Runs:
    """The runs behind a place of a plot: panel, series and x. Called with a panel, it answers for that."""

    def __init__(self, plot: Plot, parts: Sequence[tuple[Rows | Computed, Table]]) -> None:
        self.lists: list[list[str]] = []
        self._names = [getattr(plot, name, "") for name in ("panel", "series", "x")]
        self._places: dict[tuple[str, ...], int] = {}
        for part, rows in parts:
            ids = [run[:12] for run in runs_behind(part.nodes)]
            if rows and 0 < len(ids) <= MOST_RUNS:
                self.lists.append(ids)
                for row in rows:
                    self._places.setdefault(self._key(row), len(self.lists) - 1)

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(str(row.get(name, "")) for name in self._names)

    def of(self, row: Row) -> int | None:
        """The place of a row's runs in `lists`."""
        return self._places.get(self._key(row))

    def __call__(self, panel: str) -> Mapping[tuple[str, float], int]:
        return {(key[1], float(key[2])): place for key, place in self._places.items() if key[0] == panel and key[2]}


def _of_curve(plot: Lines, curve: Any, behind: Mapping[tuple[str, float], int]) -> list[Point]:
    middle, (low, high) = centre(plot, curve), band(plot, curve)
    return [
        [*map(_short, (x, middle[k], low[k], high[k])), list(map(_short, curve.y[:, k])), behind.get((curve.label, x))]
        for k, x in enumerate(curve.x.tolist())
    ]


def _of_cloud(plot: Scatter, rows: Table, behind: _Runs) -> list[Point]:
    pairs = [(number(row[plot.x]), number(row[plot.y]), row) for row in rows]
    kept = [pair for pair in pairs if np.isfinite(pair[:2]).all()]
    return [[_short(x), _short(y), None, None, [], behind.of(row)] for x, y, row in kept]


def _of_row(plot: Intervals, row: Row, behind: _Runs) -> Point:
    ends = [_short(number(row[name])) for name in (plot.estimate, plot.low, plot.high)]
    return [str(row[plot.label]), *ends, [], behind.of(row)]


def _short(value: float) -> float | None:
    """Five digits; null for what is no number."""
    return float(f"{value:.5g}") if np.isfinite(value) else None
