"""Rows of a table as plain data, which pandas, polars and arrow take by one call and a notebook draws."""

import html
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from prunescope.base.errors import UsageError

SHOWN = 20
"""Rows that a notebook shows."""


def columns(table: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all columns of a table, in order of first appearance."""
    return list(dict.fromkeys(name for row in table for name in row))


class Records(list[dict[str, Any]]):
    """A tidy table: one dictionary a row. Equal to the list of the same rows.

    A row without a column has null there.
    """

    @property
    def columns(self) -> list[str]:
        """See `columns`."""
        return columns(self)

    def arrow(self) -> Any:
        """The table as a `pyarrow.Table`. Raises UsageError for a column of several types."""
        import pyarrow as pa

        arrays = {}
        for name in self.columns:
            try:
                arrays[name] = pa.array([row.get(name) for row in self])
            except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
                raise UsageError(f"column {name!r} is of several types ({problem}); give it one") from problem
        return pa.table(arrays)

    def pandas(self) -> Any:
        """The table as a `pandas.DataFrame`. Raises UsageError where pandas is not installed."""
        return _library("pandas").DataFrame({name: [row.get(name) for row in self] for name in self.columns})

    def polars(self) -> Any:
        """The table as a `polars.DataFrame`. Raises UsageError where polars is not installed."""
        return _library("polars").from_arrow(self.arrow())

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        rows = ("".join(f"<td>{_cell(row.get(name))}</td>" for name in self.columns) for row in self[:SHOWN])
        body = "".join(f"<tr>{cells}</tr>" for cells in rows)
        more = f"<p>{len(self)} rows, of which {SHOWN} are shown; .pandas(), .polars() and .arrow() have all</p>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" + more * (len(self) > SHOWN)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise UsageError(f"{name} is not installed; `pip install {name}`, or take .arrow()") from problem


def _cell(value: object) -> str:
    return html.escape("" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value))
