"""From a table to curves: the numbers that are drawn, before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.studies import statistics
from prunescope.studies.plot import Lines, NothingToDraw, Table, by_name, check_columns
from prunescope.studies.results import Numbers

TURN = 6
"""Series after which colours come again."""


@dataclass(frozen=True)
class Curve:
    """One series in one panel: x [P], ascending; y [R, P], NaN where a replicate lacks the point.

    style: number of the series, the same in every panel, for colour and marker. marked: bool [P], points with a marker.
    chosen: bool [P], points that a column names for a star.
    """

    label: str
    style: int
    x: Numbers
    y: Numbers
    marked: NDArray[np.bool_]
    chosen: NDArray[np.bool_]


def sort_curves(plot: Lines, table: Table) -> dict[str, list[Curve]]:
    """Curves by panel, in the order of the table; a series has the same style in every panel."""
    check_columns(table, needed=(plot.x, plot.y, plot.series))
    styles = _styles(plot, table)
    groups: dict[str, list[Curve]] = {}
    for panel, rows in by_name(table, plot.panel).items():
        for label, of_label in by_name(rows, plot.series).items():
            placed = [row for row in of_label if np.isfinite(number(row[plot.x]))]
            curve = _curve(plot, placed, label=label, style=styles[label])
            if len(curve.x):
                groups.setdefault(panel, []).append(curve)
    if not groups:
        raise NothingToDraw(f"no value of {plot.y!r} is finite; nothing can be drawn")
    return groups


def _styles(plot: Lines, table: Table) -> dict[str, int]:
    """A number for every series: its place in the table, or a later one where a panel would have a colour twice."""
    panels = [list(by_name(rows, plot.series)) for rows in by_name(table, plot.panel).values()]
    styles: dict[str, int] = {}
    for label in by_name(table, plot.series):
        beside = {styles[name] % TURN for names in panels if label in names for name in names if name in styles}
        free = [style for style in range(len(styles) + TURN) if style not in styles.values()]
        styles[label] = next((style for style in free if style % TURN not in beside), free[0])
    return styles


def _curve(plot: Lines, rows: Table, *, label: str, style: int) -> Curve:
    x = sorted({number(row[plot.x]) for row in rows})
    replicates = list(dict.fromkeys(str(row.get(plot.replicate, "")) for row in rows))
    places = {value: place for place, value in enumerate(x)}
    y, marked = np.full((len(replicates), len(x)), np.nan), np.full(len(x), not plot.marks)
    chosen = np.zeros(len(x), dtype=np.bool_)
    seen: dict[tuple[int, int, object], float] = {}  # one-shot levels share an abscissa, such as equal epochs
    for row in rows:
        at = places[number(row[plot.x])]
        replicate, value = replicates.index(str(row.get(plot.replicate, ""))), number(row[plot.y])
        if np.isfinite(value) and seen.setdefault((replicate, at, row.get("level")), value) != value:
            raise UsageError(
                f"series {label!r} has two values of {plot.y!r} at {plot.x}={x[at]:g} of one replicate; give each "
                "arm a name of its own"
            )
        y[replicate, at] = value
        marked[at] |= bool(plot.marks and row.get(plot.marks, False))
        chosen[at] |= bool(row.get(plot.chosen, False))
    y[~np.isfinite(y)] = np.nan
    finite = np.isfinite(y).any(axis=0)
    return Curve(label, style, np.array(x)[finite], y[:, finite], marked[finite], chosen[finite])


def starred(plot: Lines, curve: Curve) -> list[int]:
    """The places of the starred points of a curve."""
    if plot.star == "chosen":
        return [int(place) for place in np.flatnonzero(curve.chosen)]
    middle = centre(plot, curve)
    return {"none": [], "lowest": [int(np.nanargmin(middle))], "highest": [int(np.nanargmax(middle))]}[plot.star]


def y_ranges(plot: Lines, groups: Mapping[str, list[Curve]]) -> dict[str, tuple[float, float]]:
    """The smallest and largest y of each panel; of all panels together where the y axis is shared."""
    ranges = {panel: _range(curves) for panel, curves in groups.items()}
    if not plot.share_y:
        return ranges
    lows, highs = zip(*ranges.values(), strict=True)
    return dict.fromkeys(groups, (min(lows), max(highs)))


def centre(plot: Lines, curve: Curve) -> Numbers:
    """The mean or median over replicates, [P]."""
    middle = np.nanmedian if plot.centre == "median" else np.nanmean
    return np.asarray(middle(curve.y, axis=0))


def band(plot: Lines, curve: Curve) -> tuple[Numbers, Numbers]:
    """The lower and upper edge around the centre, [P] each; no width where there is one replicate."""
    if plot.band == "range":
        return np.nanmin(curve.y, axis=0), np.nanmax(curve.y, axis=0)
    if plot.band == "quartiles":
        low, high = np.nanquantile(curve.y, [0.25, 0.75], axis=0)
        return low, high
    edges = []
    for values in curve.y.T:
        finite = values[np.isfinite(values)]
        if len(finite) < 2:
            edges.append((finite.mean(), finite.mean()) if len(finite) else (np.nan, np.nan))
        elif plot.band == "std":
            edges.append((finite.mean() - finite.std(ddof=1), finite.mean() + finite.std(ddof=1)))
        elif plot.band == "bootstrap":
            # The same draws at every point and in every figure.
            interval = statistics.bootstrap_interval(finite, stream(0, "band"), resamples=500)
            edges.append((interval.low, interval.high))
        else:
            interval = statistics.t_interval(finite)
            edges.append((interval.low, interval.high))
    low, high = np.array(edges, dtype=np.float64).T
    return low, high


def _range(curves: list[Curve]) -> tuple[float, float]:
    values = np.concatenate([curve.y.ravel() for curve in curves])
    return float(np.nanmin(values)), float(np.nanmax(values))


def number(value: object) -> float:
    """A cell of a table as a number. Raises UsageError for anything else."""
    if isinstance(value, int | float | np.number | np.ndarray) and np.ndim(value) == 0 and np.isrealobj(value):
        return float(value)
    raise UsageError(f"{value!r} cannot be drawn on an axis; put a number into the table")
