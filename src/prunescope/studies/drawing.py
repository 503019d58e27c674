"""How each kind of plot is drawn: from a description and a table to SVG.

A plot of one's own needs one function that is registered here:

    @panels_of.register
    def _my_plot(plot: MyPlot, table: Table) -> Panels: ...
"""

from collections.abc import Mapping
from functools import singledispatch

from prunescope.base.errors import UsageError
from prunescope.studies import maps, plots, scatters, sheets
from prunescope.studies.plot import Intervals, Lines, Map, Plot, Scatter, Sheet, Table
from prunescope.studies.plots import Panels
from prunescope.studies.svg import side_by_side


def panels(plot: Plot, table: Table, *, name: str) -> list[str]:
    """One SVG element a panel, for a page to lay out; `name` keeps ids on one page apart.

    Raises UsageError for a table that lacks a column or has nothing to draw, DataError for images that are not there.
    """
    rows = list(table)
    if odd := [row for row in rows if not isinstance(row, Mapping)]:
        raise UsageError(
            f"a table is a list of rows, one dictionary each, not of {odd[0]!r}; of a frame of pandas "
            "write frame.to_dict('records')"
        )
    made = panels_of(plot, rows)
    drawers = enumerate(made.drawers.items())
    return [plots.drawn(panel, draw, name=f"{name}-{number}", size=made.size) for number, (panel, draw) in drawers]


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


panels_of.register(Lines, plots.lines)
panels_of.register(Scatter, scatters.scatters)
panels_of.register(Intervals, scatters.intervals)
panels_of.register(Map, maps.maps)
panels_of.register(Sheet, sheets.sheets)
