"""Figures as data: a tidy table and a description of how it is drawn.

Belongs here: tables, their text form, and plain descriptions of plots. Does not belong here: drawing
(`plots.py`).
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, Protocol

from prunescope.base.errors import UsageError
from prunescope.studies.results import Node, Results

Row = Mapping[str, object]
Table = Sequence[Row]
"""Tidy: one row an observation, one key a column."""


class Plot(Protocol):
    """A way to draw a table."""

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        ...

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel, to be laid out by the page; `name` keeps ids on one page apart."""
        ...


@dataclass(frozen=True)
class Lines:
    """Curves of y over x: one colour and marker a series, thin lines for replicates, their centre and a band.

    series, panel, replicate: column names; a missing panel or replicate column gives one.
    references: series drawn as a dashed horizontal line at their mean, such as the dense network.
    centre: of the replicates, the curve itself; the median where replicates have two modes.
    band: what is shaded around it: one standard deviation, all values, the 95 % t-interval, or the middle half.
    star: which point of each curve is starred, such as the optimal sparsity.
    """

    x: str
    y: str
    _: KW_ONLY
    series: str
    panel: str = "panel"
    replicate: str = "replicate"
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False
    reverse_x: bool = False
    share_y: bool = True
    centre: Literal["mean", "median"] = "mean"
    band: Literal["std", "range", "interval", "quartiles"] = "std"
    references: tuple[str, ...] = ()
    star: Literal["none", "lowest", "highest"] = "none"

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        from prunescope.studies import plots  # drawing is slow to import and rarely needed

        return plots.document(plots.lines(self, table), name=name)

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel."""
        from prunescope.studies import plots

        return plots.elements(plots.lines(self, table), name=name)


@dataclass(frozen=True)
class Contour:
    """A line over a map, where the median of a column crosses a level, such as a predicted threshold."""

    column: str
    level: float
    label: str


@dataclass(frozen=True)
class Map:
    """A value over x and y as coloured cells, each the median of its rows; a cell without a number is empty.

    x, y, value, panel: column names. low, high: ends of the colour scale, the same in every panel.
    contours: lines drawn over the cells.
    """

    x: str
    y: str
    value: str
    _: KW_ONLY
    low: float
    high: float
    panel: str = "panel"
    x_label: str = ""
    y_label: str = ""
    value_label: str = ""
    log_x: bool = False
    log_y: bool = False
    reverse_x: bool = False
    contours: tuple[Contour, ...] = ()

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        from prunescope.studies import maps, plots

        return plots.document(maps.maps(self, table), name=name)

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel."""
        from prunescope.studies import maps, plots

        return plots.elements(maps.maps(self, table), name=name)


@dataclass(frozen=True)
class Figure:
    """A table made from results, how it is drawn, and which nodes each curve comes from."""

    name: str
    title: str
    _: KW_ONLY
    caption: str
    table: Callable[[Results], Table]
    plot: Plot
    lineage: Mapping[str, Sequence[Node]] = field(default_factory=dict)


def columns(table: Table) -> list[str]:
    """The names of all columns, in order of first appearance."""
    return list(dict.fromkeys(name for row in table for name in row))


def csv_text(table: Table) -> str:
    """The table as CSV: a header, full precision, empty where a row lacks a column, newlines as in Unix."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=columns(table), lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(row) for row in table)
    return out.getvalue()


def check_columns(table: Table, *, needed: Sequence[str]) -> None:
    """Raises UsageError if a row lacks one of the columns that a plot needs."""
    for row in table:
        if missing := [name for name in needed if name not in row]:
            raise UsageError(
                f"row {dict(row)} lacks column {missing[0]!r}; the plot needs {', '.join(needed)}"
            )
