"""Figures as data: a tidy table and a description of how it is drawn.

Belongs here: tables, their text form, and plain descriptions of plots. Does not belong here: drawing
(`plots.py`).
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Literal, Protocol

from prunescope.base.errors import UsageError
from prunescope.studies.results import Node, Results
from prunescope.tasks.data.source import Source

Row = Mapping[str, object]
Table = Sequence[Row]
"""Tidy: one row an observation, one key a column."""


class Named(Protocol):
    """What a figure has to know of a claim."""

    @property
    def name(self) -> str:
        """As in the study's list of claims."""
        ...


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
    band: what is shaded around it: one standard deviation, all values, the 95 % t-interval, the 95 % bootstrap interval
    of the mean, or the middle half.
    star: which point of each curve is starred; "chosen": those where the boolean column `chosen` is true, such as the
    optimal sparsity.
    marks: column of booleans; only points where it is true carry a marker, such as epochs with pruning. None named:
    all points do; a name that no row has: none do.
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
    band: Literal["std", "range", "interval", "bootstrap", "quartiles"] = "std"
    references: tuple[str, ...] = ()
    star: Literal["none", "lowest", "highest", "chosen"] = "none"
    chosen: str = "chosen"
    marks: str = ""

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        from prunescope.studies import plots  # drawing is slow to import and rarely needed

        return plots.document(plots.lines(self, table), name=name)

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel."""
        from prunescope.studies import plots

        return plots.elements(plots.lines(self, table), name=name)


@dataclass(frozen=True)
class Scatter:
    """One point a run, a colour and marker a series; a least-squares line through all points of a panel.

    x, y, series, panel: column names. A row whose x or y is not finite is left out.
    note: column of a text that is written into each panel, such as its correlation; none named: no text.
    """

    x: str
    y: str
    _: KW_ONLY
    series: str
    panel: str = "panel"
    x_label: str = ""
    y_label: str = ""
    line: bool = True
    note: str = ""

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        from prunescope.studies import plots, scatters

        return plots.document(scatters.scatters(self, table), name=name)

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel."""
        from prunescope.studies import plots, scatters

        return plots.elements(scatters.scatters(self, table), name=name)


@dataclass(frozen=True)
class Intervals:
    """An estimate and its interval a row, one under the other, such as the means of arms or several correlations.

    label, estimate, low, high, panel: column names; a row without a finite estimate keeps its place, empty.
    zero: whether a line marks 0.
    """

    label: str
    estimate: str
    low: str
    high: str
    _: KW_ONLY
    panel: str = "panel"
    x_label: str = ""
    zero: bool = False

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document."""
        from prunescope.studies import plots, scatters

        size = scatters.interval_size(self, table)
        return plots.document(scatters.intervals(self, table), name=name, size=size)

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel."""
        from prunescope.studies import plots, scatters

        size = scatters.interval_size(self, table)
        return plots.elements(scatters.intervals(self, table), name=name, size=size)


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
class Sheet:
    """A contact sheet: one image a row of the table, in its order, with "label → prediction" below it.

    source: the data set; index: column of the places of the images among its training examples. label, prediction,
    panel: column names. marked: column of booleans; where it is true the text is in another colour, such as at labels
    that were flipped. across: images a line.
    """

    source: Source
    _: KW_ONLY
    index: str = "index"
    label: str = "label"
    prediction: str = "prediction"
    marked: str = "marked"
    panel: str = "panel"
    across: int = 8

    def svg(self, table: Table, *, name: str) -> str:
        """The whole figure as one stand-alone SVG document; raises DataError if the images are not there."""
        from prunescope.studies import plots, sheets

        return plots.document(sheets.sheets(self, table), name=name, size=sheets.size(self, table))

    def panels(self, table: Table, *, name: str) -> list[str]:
        """One SVG element a panel; raises DataError if the images are not there."""
        from prunescope.studies import plots, sheets

        return plots.elements(sheets.sheets(self, table), name=name, size=sheets.size(self, table))


@dataclass(frozen=True)
class Figure:
    """A table made from results, how it is drawn, and which nodes each curve comes from.

    claims: names of the study's claims that it bears on, shown below it.
    """

    name: str
    title: str
    _: KW_ONLY
    caption: str
    table: Callable[[Results], Table]
    plot: Plot
    lineage: Mapping[str, Sequence[Node]] = field(default_factory=dict)
    claims: tuple[str, ...] = ()

    def about(self, *claims: "Named") -> "Figure":
        """The same figure, bearing on these claims."""
        return replace(self, claims=tuple(claim.name for claim in claims))


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
