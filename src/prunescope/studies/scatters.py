"""Drawing scatters, one point a run, and rows of intervals."""

import textwrap
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from prunescope.studies.curves import number
from prunescope.studies.plot import Intervals, NothingToDraw, Scatter, Table, by_name, check_columns
from prunescope.studies.plots import COLOURS, INK, MARKERS, PANEL, Drawer, Panels, label_axes, look, mark_points, roomy
from prunescope.studies.results import Numbers

NOTE_ROOM = 0.1
"""Share of the height that is left free above the points for a note."""

Clouds = Mapping[str, Numbers]
"""Points [N, 2] by series."""


def scatters(plot: Scatter, table: Table) -> Panels:
    """How points are drawn. Raises NothingToDraw if no point is finite."""
    check_columns(table, needed=(plot.x, plot.y, plot.series))
    labels, drawers = by_name(table, plot.series), dict[str, Drawer]()
    for panel, rows in by_name(table, plot.panel).items():
        note = str(rows[0].get(plot.note, "")) if plot.note else ""
        of_label = by_name(rows, plot.series)
        clouds = {label: _points(plot, of_label.get(label, [])) for label in labels}
        if any(len(cloud) for cloud in clouds.values()):
            drawers[panel] = partial(_draw, plot, clouds, note)
    if not drawers:
        raise NothingToDraw(f"no pair of {plot.x!r} and {plot.y!r} is finite; nothing can be drawn")
    return Panels(drawers)


def fitted(points: Numbers) -> tuple[float, float] | None:
    """Slope and intercept of the least-squares line through points [N, 2]; None where x has no spread."""
    x, y = points.T
    centred = x - x.mean()
    if len(x) < 2 or float(np.ptp(x)) == 0.0:
        return None
    slope = float(centred @ y / (centred @ centred))
    return slope, float(y.mean() - slope * x.mean())


def _points(plot: Scatter, rows: Table) -> Numbers:
    pairs = np.array([(number(row[plot.x]), number(row[plot.y])) for row in rows], dtype=np.float64).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _draw(plot: Scatter, clouds: Clouds, note: str, axes: Axes) -> None:
    points = np.concatenate(list(clouds.values()))
    for style, (label, cloud) in enumerate(clouds.items()):
        colour, marker = look(style)
        if len(cloud):
            dots: Any = {"color": colour, "marker": marker, "alpha": 0.85, "s": 22.0, "linewidths": 0.0}
            mark_points([axes.scatter(cloud[:, 0], cloud[:, 1], label=textwrap.fill(label, 24), **dots)], style)
    axes.set_xlim(*roomy(points[:, 0].min(), points[:, 0].max(), logarithmic=False, share=0.05))
    low, high = roomy(points[:, 1].min(), points[:, 1].max(), logarithmic=False, share=0.07)
    axes.set_ylim(low, high + NOTE_ROOM * (high - low) * bool(note))
    if plot.line and (line := fitted(points)) is not None:
        ends = np.array([points[:, 0].min(), points[:, 0].max()])
        axes.plot(ends, line[0] * ends + line[1], color=INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.7)
    label_axes(axes, plot)
    if note:
        axes.text(0.98, 0.97, note, transform=axes.transAxes, ha="right", va="top", fontsize=8.5)
    beside: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    axes.legend(frameon=False, fontsize=8.5, handletextpad=0.2, **beside)


def intervals(plot: Intervals, table: Table) -> Panels:
    """How intervals are drawn: wide enough for their labels, and with room for every row of the longest panel.

    Raises NothingToDraw if no estimate is finite.
    """
    check_columns(table, needed=(plot.label, plot.estimate, plot.low, plot.high))
    if not any(np.isfinite(number(row[plot.estimate])) for row in table):
        raise NothingToDraw(f"no value of {plot.estimate!r} is finite; nothing can be drawn")
    panels = by_name(table, plot.panel)
    height = max(PANEL[1] - 1.0, 0.36 * max(map(len, panels.values())) + 0.9)
    drawers = {panel: partial(_draw_intervals, plot, rows) for panel, rows in panels.items()}
    return Panels(drawers, (PANEL[0] + 1.4, height))


def _draw_intervals(plot: Intervals, rows: Table, axes: Axes) -> None:
    for place, row in enumerate(rows):
        middle, low, high = (number(row[name]) for name in (plot.estimate, plot.low, plot.high))
        if plot.behind and all(name in row for name in plot.behind):
            ends = [number(row[name]) for name in plot.behind]
            axes.plot(ends, [place, place], color=INK, linewidth=9.0, alpha=0.22, solid_capstyle="round")
        if np.isfinite(low) and np.isfinite(high):
            axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.6, alpha=0.6)
        if np.isfinite(middle):
            mark_points(axes.plot(middle, place, MARKERS[0], color=COLOURS[0], markersize=5.0), 0)
    if plot.zero:
        axes.axvline(0.0, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.7)
    labels = [textwrap.fill(str(row[plot.label]), 30) for row in rows]
    axes.set_yticks(range(len(rows)), labels=labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(plot.x_label or plot.estimate)
