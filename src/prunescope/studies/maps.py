"""Drawing maps: a value over two axes as coloured cells."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from prunescope.base.errors import UsageError
from prunescope.studies.curves import number
from prunescope.studies.plot import Map, NothingToDraw, Table, by_name, check_columns
from prunescope.studies.plots import INK, Panels, label_axes, set_log_ticks
from prunescope.studies.results import Numbers

_COLOURS = "cividis"  # one hue path, the same to people who see no red or no green
_SHADES = 20
_DASHES: tuple[Any, ...] = ("solid", (0, (4, 2)), (0, (1, 1.5)))


@dataclass(frozen=True)
class Cells:
    """One panel: x [X] and y [Y], ascending; values and each contour's column [Y, X], NaN where there is none."""

    x: Numbers
    y: Numbers
    value: Numbers
    contours: tuple[Numbers, ...]


def maps(plot: Map, table: Table) -> Panels:
    """How cells are drawn."""
    return Panels({panel: partial(_draw, plot, cells) for panel, cells in sort_cells(plot, table).items()})


def sort_cells(plot: Map, table: Table) -> dict[str, Cells]:
    """Cells by panel, in the order of the table. Raises NothingToDraw if no value is finite."""
    columns = [contour.column for contour in plot.contours]
    check_columns(table, needed=(plot.x, plot.y, plot.value, *columns))
    groups: dict[str, Cells] = {}
    placed = [row for row in table if np.isfinite([number(row[plot.x]), number(row[plot.y])]).all()]
    for panel, rows in by_name(placed, plot.panel).items():
        x, y = (np.array(sorted({number(row[name]) for row in rows})) for name in (plot.x, plot.y))
        grids = [_grid(plot, rows, x, y, column=name) for name in (plot.value, *columns)]
        groups[panel] = Cells(x, y, grids[0], tuple(grids[1:]))
    if not any(np.isfinite(cells.value).any() for cells in groups.values()):
        raise NothingToDraw(f"no value of {plot.value!r} is finite; nothing can be drawn")
    return groups


def _grid(plot: Map, rows: Table, x: Numbers, y: Numbers, *, column: str) -> Numbers:
    """The median of a column's finite values in every cell, [Y, X]."""
    by_cell: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        place = int(np.searchsorted(y, number(row[plot.y]))), int(np.searchsorted(x, number(row[plot.x])))
        if np.isfinite(value := number(row[column])):
            by_cell.setdefault(place, []).append(value)
    grid = np.full((len(y), len(x)), np.nan)
    for place, values in by_cell.items():
        grid[place] = np.median(values)
    return grid


def edges(centres: Numbers, *, logarithmic: bool) -> Numbers:
    """The borders of cells around ascending centres, half way to their neighbours on the axis: [P + 1]."""
    if logarithmic and centres[0] <= 0.0:
        raise UsageError(f"{centres[0]:g} cannot be drawn on a logarithmic axis; use a linear one or leave it out")
    places = np.log(centres) if logarithmic else centres
    steps = np.diff(places) if len(places) > 1 else np.array([1.0])
    inner = places[:-1] + np.diff(places) / 2
    borders = np.concatenate([[places[0] - steps[0] / 2], inner, [places[-1] + steps[-1] / 2]])
    return np.exp(borders) if logarithmic else borders


def _draw(plot: Map, cells: Cells, axes: Axes) -> None:
    x, y = edges(cells.x, logarithmic=plot.log_x), edges(cells.y, logarithmic=plot.log_y)
    shades = matplotlib.colormaps[_COLOURS].resampled(_SHADES)
    style: Any = {"cmap": shades, "vmin": plot.low, "vmax": plot.high, "edgecolors": "face", "linewidth": 0.2}
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(cells.value), **style)
    axes.grid(False)
    _set_axis(axes.xaxis, axes.set_xscale, x, logarithmic=plot.log_x)
    _set_axis(axes.yaxis, axes.set_yscale, y, logarithmic=plot.log_y)
    axes.set_xlim(*((x[-1], x[0]) if plot.reverse_x else (x[0], x[-1])))
    axes.set_ylim(y[0], y[-1])
    label_axes(axes, plot)
    # Not a part of the grid, of which constrained layout, done by hand in plots.py, makes no sense.
    bar: Any = axes.figure.colorbar(mesh, ax=axes, label=plot.value_label or plot.value, aspect=24, use_gridspec=False)
    bar.outline.set_linewidth(0.0)
    _draw_contours(plot, cells, axes)


def _draw_contours(plot: Map, cells: Cells, axes: Axes) -> None:
    """White lines with a dark rim, seen on every shade; named below the axes."""
    if not plot.contours or min(cells.value.shape) < 2:
        return
    for contour, values, dashes in zip(plot.contours, cells.contours, itertools.cycle(_DASHES), strict=False):
        if np.nanmin(values) < contour.level < np.nanmax(values):
            line: Any = {"levels": [contour.level], "colors": "white", "linewidths": 1.5, "linestyles": [dashes]}
            drawn = axes.contour(cells.x, cells.y, values, **line)
            drawn.set_path_effects([withStroke(linewidth=3.0, foreground="#00000088")])
    handles = [
        Line2D([], [], color=INK, linestyle=dashes, label=contour.label)
        for contour, dashes in zip(plot.contours, itertools.cycle(_DASHES), strict=False)
    ]
    below: Any = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.2), "borderaxespad": 0.0}
    axes.legend(handles=handles, frameon=False, fontsize=8.5, handlelength=1.8, **below)


def _set_axis(axis: Axis, set_scale: Callable[[str], None], borders: Numbers, *, logarithmic: bool) -> None:
    if logarithmic:
        set_scale("log")
        set_log_ticks(axis, float(borders[0]), float(borders[-1]))
