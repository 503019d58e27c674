"""How each kind of plot is drawn: from a description and a table to SVG.

A plot of one's own needs one function that is registered here:

    @panels_of.register
    def _my_plot(plot: MyPlot, table: Table) -> Panels: ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

from prunescope.base.errors import UsageError
from prunescope.studies import maps, plots, scatters, sheets
from prunescope.studies.plot import Intervals, Lines, Map, Plot, Scatter, Sheet, Table
from prunescope.studies.plots import PANEL, Drawer
from prunescope.studies.svg import side_by_side


@dataclass(frozen=True)
class Panels:
    """What draws each panel, by its title, and their width and height in inches."""

    drawers: Mapping[str, Drawer]
    size: tuple[float, float] = PANEL


def panels(plot: Plot, table: Table, *, name: str) -> list[str]:
    """One SVG element a panel, for a page to lay out; `name` keeps ids on one page apart.

    Raises UsageError for a table that lacks a column or has nothing to draw, DataError for images that are not there.
    """
    laid_out = panels_of(plot, table)
    return plots.elements(laid_out.drawers, name=name, size=laid_out.size)


class Svg(str):
    """The text of an SVG document, which a notebook draws."""

    def _repr_svg_(self) -> str:
        return str(self)


def draw(plot: Plot, table: Table, *, name: str = "figure") -> Svg:
    """All panels as one SVG document that follows the reader's colour scheme; raises as `panels` does."""
    return Svg(side_by_side(panels(plot, table, name=name)))


@singledispatch
def panels_of(plot: Plot, table: Table) -> Panels:
    """The panels of a plot; one function a kind of plot."""
    raise UsageError(f"nothing is registered that draws {type(plot).__name__}; see prunescope.studies.drawing")


@panels_of.register
def _lines(plot: Lines, table: Table) -> Panels:
    return Panels(plots.lines(plot, table))


@panels_of.register
def _scatter(plot: Scatter, table: Table) -> Panels:
    return Panels(scatters.scatters(plot, table))


@panels_of.register
def _intervals(plot: Intervals, table: Table) -> Panels:
    return Panels(scatters.intervals(plot, table), scatters.interval_size(plot, table))


@panels_of.register
def _map(plot: Map, table: Table) -> Panels:
    return Panels(maps.maps(plot, table))


@panels_of.register
def _sheet(plot: Sheet, table: Table) -> Panels:
    return Panels(sheets.sheets(plot, table), sheets.size(plot, table))
