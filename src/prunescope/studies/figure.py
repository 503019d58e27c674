"""Figures as data: quantities over an axis, as the rows of one tidy table, and how it is drawn.

Belongs here: from quantities to rows, and their text form. Does not belong here: drawing (`drawing.py`).
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.records import Records, columns
from prunescope.base.value import Value
from prunescope.measures.measure import Values
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.checked import require_all
from prunescope.studies.claim import Claim
from prunescope.studies.plot import Plot, Row, Table
from prunescope.studies.quantity import Quantity, nodes_of, require_quantities
from prunescope.studies.results import Node, Results


@dataclass(frozen=True)
class Rows:
    """Rows that differ in the replicate (and the part) only: one point of a curve, or a whole curve.

    labels: columns that are the same in all of them, such as panel, series and level.
    values: columns by name, each a quantity [R], or [R, P] along the same parts.
    parts: columns of what the parts are, [P] each, such as the epochs of a curve; none where values are [R].

    A replicate whose runs failed, or are not there, leaves a gap.
    """

    labels: Mapping[str, object]
    values: Mapping[str, Quantity]
    parts: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if odd := [part for part in (self.labels, self.values, self.parts) if not isinstance(part, Mapping)]:
            raise UsageError(f"Rows has {odd[0]!r} for columns; give dictionaries: labels, quantities, parts")
        require_quantities(self.values.values())
        names = Counter([*self.labels, "replicate", *self.parts, *self.values])
        if twice := [name for name, count in names.items() if count > 1]:
            raise UsageError(
                f"two columns of a row would be called {twice[0]!r}; give a label, part or value another name"
            )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that must be computed."""
        return nodes_of(self.values.values())

    def table(self, results: Results) -> Table:
        """One row a replicate and part: labels, "replicate", parts and values."""
        read = {name: _read(quantity, results) for name, quantity in self.values.items()}
        columns = {name: value for name, (value, _) in read.items() if value is not None}
        complete = all(is_complete for _, is_complete in read.values())
        if complete and self.parts and all(value.ndim < 2 for value in columns.values()):
            raise UsageError(
                f"rows have the parts {', '.join(self.parts)}, and one number a replicate; leave parts= out"
            )
        rows = [self._row(columns, place) for place in self._places(columns)]
        return rows if complete else [row for row in rows if any(_is_number(row[name]) for name in columns)]

    def _places(self, columns: Mapping[str, NDArray[Any]]) -> Iterator[tuple[int, ...]]:
        shapes = [value.shape for value in columns.values()]
        longest = max(shapes, key=len, default=(0,))
        if any(shape != longest[: len(shape)] for shape in shapes):
            raise UsageError(f"columns {dict(zip(columns, shapes, strict=True))} differ in replicates or parts")
        if len(longest) > bool(self.parts):
            counts = {name: len(np.atleast_1d(part)) for name, part in self.parts.items()}
            if any(count != longest[1] for count in counts.values()):
                raise UsageError(f"rows of {longest[1]} numbers a replicate have parts of {counts}; give one a number")
            yield from np.ndindex(*longest)

    def _row(self, columns: Mapping[str, NDArray[Any]], place: tuple[int, ...]) -> Row:
        row: dict[str, object] = {**self.labels, "replicate": place[0]}
        row |= {name: _plain(np.asarray(values)[place[1]]) for name, values in self.parts.items()}
        return row | {name: _plain(value[place[: value.ndim]]) for name, value in columns.items()}


@dataclass(frozen=True)
class Computed:
    """Rows that are no numbers of single replicates, such as correlations over all of them, or images.

    nodes: all that must be computed.
    make: from results to the rows; what it raises for a missing result costs the figure, so it leaves gaps itself.
    """

    nodes: Sequence[Node]
    make: Callable[[Results], Table]
    labels: Mapping[str, object] = field(default_factory=dict)

    def table(self, results: Results) -> Table:
        """The rows, with the labels in each."""
        return [{**self.labels, **row} for row in self.make(results)]


@dataclass(frozen=True)
class Figure:
    """Rows made from results, how they are drawn, and the claims that it shows.

    name: a file name and an anchor.
    title: its heading.
    caption: what is seen, for a reader who has not read the paper.
    rows: what its table is put together from, in this order.
    plot: how the table is drawn.
    claims: what can be read off it, judged by the study that has the figure and shown below it.
    """

    name: str
    title: str
    _: KW_ONLY
    caption: str
    rows: Sequence[Rows | Computed]
    plot: Plot
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        if not self.rows:
            raise UsageError(f"figure {self.name!r} has no rows; give a list of ps.Rows or ps.Computed")
        require_all(self.rows, Rows | Computed, f"rows of figure {self.name!r}")
        require_all(self.claims, Claim, f"claims of figure {self.name!r}")
        if not isinstance(self.plot, Plot):
            raise UsageError(f"figure {self.name!r} has the plot {self.plot!r}; give one, such as ps.Lines(...)")
        self._check_labels()

    def _check_labels(self) -> None:
        """Raises UsageError for two rows of one label, of which one would be drawn over the other."""
        x = getattr(self.plot, "x", None)
        labels = [part.labels for part in self.rows if isinstance(part, Rows) and (x in part.labels or x in part.parts)]
        for number, some in enumerate(labels):
            if some in labels[:number]:
                raise UsageError(
                    f"figure {self.name!r} has two rows with the labels {dict(some)}, which would be one point, or one "
                    "curve; give each arm a name of its own"
                )

    def table(self, results: Results) -> Records:
        """All rows."""
        return Records(dict(row) for part in self.rows for row in part.table(results))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All that must be computed for the table."""
        return tuple({node.id: node for part in self.rows for node in part.nodes}.values())

    @cached_property
    def lineage(self) -> Mapping[str, tuple[Recipe, ...]]:
        """The runs behind each series, or each panel of rows without one; series of the same runs share an entry."""
        runs: dict[str, dict[str, Recipe]] = {}
        for part in self.rows:
            name = part.labels.get(getattr(self.plot, "series", ""), part.labels.get("panel", ""))
            runs.setdefault(str(name), {}).update(runs_behind(part.nodes))
        names: dict[tuple[Recipe, ...], list[str]] = {}
        for name, by_id in runs.items():
            names.setdefault(tuple(by_id.values()), []).append(name)
        return {"; ".join(alike): recipes for recipes, alike in names.items() if recipes}


def with_gaps(quantity: Quantity, results: Results) -> NDArray[Any]:
    """The value of a quantity that can be read in part: not a number for what failed or is not there."""
    return quantity(_Gaps(results))


class _Gaps:
    """Results in which a missing node reads as not a number, whatever is asked of it."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def __getitem__(self, node: Any) -> Values:
        try:
            return self._results[node]
        except UsageError:
            raise
        except PrunescopeError:
            return _Nothing()

    def __contains__(self, node: Any) -> bool:
        return node in self._results

    def __getattr__(self, name: str) -> Any:
        return getattr(self._results, name)


class _Nothing(dict[str, NDArray[Any]]):
    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> NDArray[Any]:
        return np.asarray(math.nan)


def _read(quantity: Quantity, results: Results) -> tuple[NDArray[Any] | None, bool]:
    """The value and whether all of it is there; None where nothing can be said with results missing."""
    try:
        return quantity(results), True
    except UsageError:
        raise
    except PrunescopeError:
        pass
    try:
        return with_gaps(quantity, results), False
    except Exception:  # what was written for whole results cannot be held to do anything with gaps
        return None, False


def runs_behind(nodes: Sequence[Node]) -> dict[str, Recipe]:
    """The runs that nodes are read from, choices among several included, by id."""
    runs: dict[str, Recipe] = {}
    pending: list[Any] = list(reversed(nodes))
    while pending:
        node = pending.pop()
        if isinstance(node, Recipe):
            runs.setdefault(node.id, node)
        elif isinstance(node, Value):
            pending.extend(reversed(list(node.references)))
    return runs


def _is_number(value: object) -> bool:
    """Whether it says something where results are missing; that no level is marked as the best does not."""
    return not isinstance(value, bool) and not (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> object:
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def csv_text(table: Table) -> str:
    """The table as CSV: a header, full precision, empty where a row lacks a column, newlines as in Unix."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=columns(table), lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(row) for row in table)
    return out.getvalue()
