"""Descriptions of plots as plain data; how each is drawn is in `drawing.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from pydantic import PositiveInt

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.studies.checked import Checked
from prunescope.tasks.data.source import Source

Row = Mapping[str, object]
Table = Sequence[Row]
"""Tidy: one row an observation, one key a column."""


class NothingToDraw(UsageError):
    """No row of a table has the numbers that its plot needs, as where their runs failed or are not there."""


class NothingToShow(PrunescopeError):
    """A figure has no rows for a reason that the reader is told, such as "none" where none were found."""


class Plot:
    """A way to draw a table: a frozen dataclass that names the table's columns.

    One of your own is drawn by a function that is registered with `prunescope.studies.drawing.panels_of`.
    """


@dataclass(frozen=True)
class Listing(Plot):
    """A table that is shown as it is, row by row."""


@dataclass(frozen=True)
class Lines(Checked, Plot):
    """Curves of y over x: one colour and marker a series, thin lines for replicates, their centre and a band.

    x, y: columns of numbers.
    series, panel, replicate: columns of names; a table without panels or replicates has one.
    x_label, y_label: what stands along the axes, units included; by default the column's name.
    log_x, log_y: whether an axis is logarithmic.
    reverse_x: whether x falls from left to right, as weights remaining do.
    share_y: whether all panels have the same y axis.
    centre: of the replicates, the curve itself; the median where replicates have two modes.
    band: what is shaded around it: one standard deviation, all values, the 95 % t-interval, the 95 % bootstrap interval
        of the mean, or the middle half.
    references: series drawn as a dashed horizontal line at their mean, such as the dense network.
    star: which point of each curve is starred; "chosen": those where the boolean column `chosen` is true.
    chosen: the name of that column.
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

    @property
    def shaded(self) -> str:
        """What the band shows, for people."""
        return {
            "std": "one standard deviation of the replicates",
            "range": "all replicates",
            "interval": "the 95 % interval of the mean",
            "bootstrap": "the 95 % bootstrap interval of the mean",
            "quartiles": "the middle half of the replicates",
        }[self.band]


@dataclass(frozen=True)
class Scatter(Checked, Plot):
    """One point a run, a colour and marker a series; a least-squares line through all points of a panel.

    x, y: columns of numbers; a row in which one is not finite is left out.
    series, panel: columns of names.
    x_label, y_label: what stands along the axes.
    line: whether the least-squares line is drawn.
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


@dataclass(frozen=True)
class Intervals(Checked, Plot):
    """An estimate and its interval a row, one under the other, such as the means of arms or several correlations.

    label: column of names.
    estimate, low, high: columns of numbers; a row without a finite estimate keeps its place, empty.
    panel: column of names.
    x_label: what stands along the axis.
    zero: whether a line marks 0.
    behind: columns of the ends of a grey range behind the interval, such as what other seeds do; rows may lack them.
    """

    label: str
    estimate: str
    low: str
    high: str
    _: KW_ONLY
    panel: str = "panel"
    x_label: str = ""
    zero: bool = False
    behind: tuple[str, str] | None = None


@dataclass(frozen=True)
class Contour:
    """A line over a map, where the median of a column crosses a level, such as a predicted threshold.

    column: of numbers.
    level: which they cross.
    label: its name in the legend.
    """

    column: str
    level: float
    label: str


@dataclass(frozen=True)
class Map(Checked, Plot):
    """A value over x and y as coloured cells, each the median of its rows; a cell without a number is empty.

    x, y, value: columns of numbers.
    low, high: ends of the colour scale, the same in every panel.
    panel: column of names.
    x_label, y_label, value_label: what stands along the axes and the colour bar.
    log_x, log_y, reverse_x: as of `Lines`.
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


@dataclass(frozen=True)
class Sheet(Checked, Plot):
    """A contact sheet: one image a row of the table, in its order, with "label → prediction" below it.

    source: the data set.
    index: column of the places of the images among its training or test examples.
    split: which of the two.
    label, prediction: columns of what is written below an image.
    marked: column of booleans; where it is true the text is in another colour, such as at labels that were flipped.
    panel: column of names.
    across: images a line.
    """

    source: Source
    _: KW_ONLY
    index: str = "index"
    label: str = "label"
    prediction: str = "prediction"
    marked: str = "marked"
    panel: str = "panel"
    across: PositiveInt = 8
    split: Literal["train", "test"] = "train"


def by_name(table: Table, column: str) -> dict[str, list[Row]]:
    """The rows of every name in a column, such as of every panel, in the order of the table; "" without the column."""
    groups: dict[str, list[Row]] = {}
    for row in table:
        groups.setdefault(str(row.get(column, "")), []).append(row)
    return groups


def check_columns(table: Table, *, needed: Sequence[str]) -> None:
    """Raises UsageError if a row lacks one of the columns that a plot needs."""
    for row in table:
        if missing := [name for name in needed if name not in row]:
            raise UsageError(f"row {dict(row)} lacks column {missing[0]!r}; the plot needs {', '.join(needed)}")
