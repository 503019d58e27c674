"""Drawing: from curves to SVG text. Only this file, `maps.py`, `scatters.py` and `sheets.py` import matplotlib.

Belongs here: what every plot shares (colours, axes, text of an SVG) and the drawing of `Lines`. Does not
belong here: what is drawn (`figure.py`), the drawing of `Map` (`maps.py`), or any file on disk (`report.py`).

Text and axes are drawn in `currentColor` on a transparent ground, so that one SVG serves light and dark pages. The
bytes are the same from run to run: no date, and ids derived from the name.
"""

import io
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

from prunescope.base.errors import UsageError
from prunescope.studies.curves import Curve, band, centre, sort_curves, starred, y_ranges
from prunescope.studies.plot import Lines, Map, Scatter, Table

# Okabe and Ito 2008, without black and yellow, which vanish on a dark or a light page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
_MARK = "series-"
INK = "#010203"  # stands for currentColor while matplotlib draws
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
PANEL = (4.2, 3.0)  # inches; at 72 units an inch and 9-unit text this is readable at 340 px and at 560 px
_LINE = 0.064  # height of a line of label text, in fractions of the axes
_STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "path.simplify": False,  # a vertex is a point of the data
    "text.parse_math": False,  # a class may be called "US$ 100 to A$ 150"
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.13,
    "grid.linewidth": 0.6,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "lines.solid_capstyle": "round",
    **dict.fromkeys(
        ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"], INK
    ),
}


Drawer = Callable[[Axes], None]
"""Draws one panel into empty axes that have their title."""


@dataclass(frozen=True)
class Panels:
    """What draws each panel, by its title, and their width and height in inches."""

    drawers: Mapping[str, Drawer]
    size: tuple[float, float] = PANEL


def drawn(panel: str, draw: Drawer, *, name: str, size: tuple[float, float]) -> str:
    """One panel as an SVG element, for the page to lay out; its ids begin with `name`."""
    style: Any = {**_STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=size, dpi=72)
        FigureCanvasSVG(canvas)
        axes = canvas.subplots()
        axes.set_title(panel, wrap=True)
        draw(axes)
        _wrap(axes, size)
        # By hand: a figure that has a layout engine is drawn twice, which takes twice as long.
        ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.04).execute(canvas)
        out = io.StringIO()
        nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
        canvas.savefig(out, format="svg", transparent=True, metadata=nothing)
    return _themed(out.getvalue(), name=name)


def _wrap(axes: Axes, size: tuple[float, float]) -> None:
    """Breaks what is written along an axis where it would be longer than the axis, and be cut."""
    for label, inches in zip((axes.xaxis.label, axes.yaxis.label), size, strict=True):
        letters = int(0.75 * inches * 72 / (0.55 * float(label.get_fontsize())))
        label.set_text(textwrap.fill(label.get_text(), letters))


def lines(plot: Lines, table: Table) -> Panels:
    """How curves are drawn."""
    groups = sort_curves(plot, table)
    ranges = y_ranges(plot, groups)
    return Panels({panel: partial(_draw_curves, plot, curves, ranges[panel]) for panel, curves in groups.items()})


def _draw_curves(plot: Lines, curves: list[Curve], y_range: tuple[float, float], axes: Axes) -> None:
    _set_y(axes, plot, *y_range)
    _set_x(axes, plot, curves)
    for curve in curves:
        _draw_curve(axes, plot, curve)
    _label_curves(axes, plot, curves)


def _draw_curve(axes: Axes, plot: Lines, curve: Curve) -> None:
    colour, marker = look(curve.style)
    if curve.label in plot.references:
        dashed = axes.axhline(float(np.nanmean(curve.y)), color=colour, linewidth=1.5, linestyle=(0, (4, 2)))
        mark_series([dashed], curve.style)
        return
    middle, (low, high) = centre(plot, curve), band(plot, curve)
    thin: Any = {"color": colour, "linewidth": 0.6, "alpha": 0.45}
    drawn: list[Artist] = [line for replicate in curve.y for line in axes.plot(curve.x, replicate, **thin)]
    drawn.append(axes.fill_between(curve.x, low, high, color=colour, alpha=0.16, linewidth=0))
    where = np.flatnonzero(curve.marked).tolist()
    mark_points(
        axes.plot(curve.x, middle, color=colour, linewidth=1.6, marker=marker, markersize=4.0, markevery=where),
        curve.style,
    )
    edge: Any = {"markeredgecolor": INK, "markeredgewidth": 0.6}
    for best in starred(plot, curve):
        drawn += axes.plot(
            curve.x[best], middle[best], "*", markersize=13, color=colour, zorder=5, scalex=False, **edge
        )
    mark_series(drawn, curve.style)


def _set_y(axes: Axes, plot: Lines, low: float, high: float) -> None:
    """Limits come from the values, not from the bands: a wide interval at n = 3 would flatten every curve."""
    limits = roomy(low, high, logarithmic=plot.log_y, share=0.07)
    if plot.log_y:
        axes.set_yscale("log")
        set_log_ticks(axes.yaxis, low, high)
    axes.set_ylim(*limits)


def label_axes(axes: Axes, plot: Lines | Map | Scatter) -> None:
    """What stands along both axes; by default the columns' names."""
    axes.set_xlabel(plot.x_label or plot.x)
    axes.set_ylabel(plot.y_label or plot.y)


def _set_x(axes: Axes, plot: Lines, curves: list[Curve]) -> None:
    label_axes(axes, plot)
    x = np.concatenate([curve.x for curve in curves])
    low, high = float(x.min()), float(x.max())
    left, right = roomy(low, high, logarithmic=plot.log_x, share=0.03)
    if plot.log_x:
        axes.set_xscale("log")
        set_log_ticks(axes.xaxis, low, high)
    axes.set_xlim(*((right, left) if plot.reverse_x else (left, right)))


def roomy(low: float, high: float, *, logarithmic: bool, share: float) -> tuple[float, float]:
    """The range with room at both ends, as a share of its length on the axis; never empty."""
    if not logarithmic:
        room = share * ((high - low) or abs(high) or 1.0)
        if not np.isfinite([low - room, high + room]).all():
            raise UsageError(f"{low:g} and {high:g} lie too far apart for an axis; leave one out")
        return low - room, high + room
    if low <= 0.0:
        raise UsageError(f"{low:g} cannot be drawn on a logarithmic axis; use a linear one or leave it out")
    factor = (high / low if high > low else 10.0) ** share
    return low / factor, high * factor


def set_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Plain numbers on a logarithmic axis, at least three: powers of ten over more than two decades, else 100, 50, 20.

    Over less than a decade every whole multiple may have a tick, and over less than that what a linear axis has.
    """
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in ((1.0,),) if high > 150.0 * low else ((1.0, 2.0, 5.0), tuple(np.arange(1.0, 10.0))):
        ticks = [step * decade for decade in decades for step in steps if low <= step * decade <= high]
        if len(ticks) >= 3 or len(steps) == 1:
            axis.set_major_locator(ticker.LogLocator(subs=steps))
            break
    else:
        axis.set_major_locator(ticker.MaxNLocator(4))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())


def _label_curves(axes: Axes, plot: Lines, curves: list[Curve]) -> None:
    """Names beside the right end of the curves, pushed apart until none covers another."""
    names = {curve.label: textwrap.wrap(curve.label, 15) or [""] for curve in curves}
    ends = {curve.label: _right_end(axes, plot, curve) for curve in curves}
    heights = {label: _LINE * len(lines) for label, lines in names.items()}
    places = _spread({label: end[1] for label, end in ends.items()}, heights=heights)
    beside: Any = {"transform": axes.transAxes, "clip_on": False, "scalex": False, "scaley": False}
    for curve in curves:
        (colour, marker), height, end = look(curve.style), places[curve.label], ends[curve.label]
        sign = "_" if curve.label in plot.references else marker
        leader = axes.plot([end[0], 1.02], [end[1], height], color=colour, linewidth=0.5, alpha=0.6, **beside)
        symbol = axes.plot(1.045, height, sign, color=colour, markersize=4.5, **beside)
        text = "\n".join(names[curve.label])
        name = axes.text(1.075, height, text, transform=axes.transAxes, va="center", fontsize=8.5, linespacing=1.1)
        mark_series([*leader, *symbol, name], curve.style)


def _right_end(axes: Axes, plot: Lines, curve: Curve) -> tuple[float, float]:
    """Where the curve ends on the right, in fractions of the axes."""
    reference = curve.label in plot.references
    last = 0 if plot.reverse_x else -1
    height = float(np.nanmean(curve.y) if reference else centre(plot, curve)[last])
    x, y = axes.transAxes.inverted().transform(axes.transData.transform((curve.x[last], height)))
    return (1.0 if reference else float(x)), float(y)


def _spread(wanted: Mapping[str, float], *, heights: Mapping[str, float]) -> dict[str, float]:
    """Centres near the wanted ones without overlap: stacked upwards, then pushed down to stay inside."""
    order = sorted(wanted, key=lambda label: wanted[label])
    places: dict[str, float] = {}
    floor, ceiling = -0.02, 1.02
    for label in order:
        places[label] = max(wanted[label], floor + heights[label] / 2)
        floor = places[label] + heights[label] / 2
    for label in reversed(order):
        places[label] = min(places[label], ceiling - heights[label] / 2)
        ceiling = places[label] - heights[label] / 2
    return places


def mark_series(artists: Iterable[Artist], style: int) -> None:
    """Says in the SVG of which series these are, so that a page can hide them (`data-s`)."""
    for artist in artists:
        artist.set_gid(f"{_MARK}{style}-part")


def mark_points(artists: Iterable[Artist], style: int) -> None:
    """The same of what has one vertex or marker a point, in the order of `explore.py` (`data-k="points"`)."""
    for artist in artists:
        artist.set_gid(f"{_MARK}{style}-points")


def look(style: int) -> tuple[str, str]:
    """Colour and marker of a series; another marker at every turn of the colours, so that no two look the same."""
    turn, place = divmod(style, len(COLOURS))
    return COLOURS[place], MARKERS[(place + turn) % len(MARKERS)]


def _themed(svg: str, *, name: str) -> str:
    """The <svg> element alone: ink as currentColor, ids made unique on the page, the reader's own font."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", element, flags=re.DOTALL)
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)
    element = re.sub(rf'<g id="{_MARK}(\d+)-(\w+)"', r'<g data-s="\1" data-k="\2"', element)
    element = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", element).replace(INK, "currentColor")
    element = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", _FONT, element)
    return "\n".join(line.rstrip() for line in element.splitlines()) + "\n"
