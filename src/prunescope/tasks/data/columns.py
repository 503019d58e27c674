"""Examples, or batches of them, put together as columns: one an input of the network, and the labels.

Belongs here: which member of an example is its label, and which are inputs. Does not belong here: where examples come
from (`reading.py`), types and values (`conversion.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.tasks.data import conversion

LABELS = ("label", "labels", "target", "y")
"""What the label of an example may be called where its members have names."""


class Pair(NamedTuple):
    """Examples as they were held.

    x: an array, or arrays by the name or place of an argument.
    y: the labels.
    class_names: what the source itself calls its classes.
    order: what labels 0, 1, ... are called by a source that has labels of numbers and names of classes.
    """

    x: Any
    y: Any
    class_names: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def together(rows: Sequence[Any], name: str, *, batched: bool = False) -> Pair:
    """Examples (x, y), dictionaries with a label, or batches of them, as columns."""
    conversion.same_length({"x": rows}, name=name)
    pairs = [split(row, name, place) for place, row in enumerate(rows)]
    if batched and (odd := next((y for _, y in pairs if isinstance(y, str) or not np.ndim(y)), None)) is not None:
        raise UsageError(f"{name}: a batch has the label {odd!r}; give a label for each example of a batch, [N]")
    sizes = [len(y) for _, y in pairs] if batched else None
    return Pair(*(_column(list(part), name, sizes) for part in zip(*pairs, strict=True)))


def _column(rows: list[Any], name: str, sizes: list[int] | None) -> Any:
    """A column of values or arrays, or a dictionary or tuple of columns. sizes: of batches; None for examples."""
    members: list[dict[Any, Any] | None] = [dict(row) if isinstance(row, Mapping) else None for row in rows]
    if _are_parts(rows, sizes):
        members = [dict(enumerate(row)) if isinstance(row, tuple | list) else None for row in rows]
    kinds = [None if each is None else tuple(each) for each in members]
    if odd := next((place for place, kind in enumerate(kinds) if kind != kinds[0]), None):
        raise UsageError(
            f"{name}: example {odd} has the members {kinds[odd]} and example 0 {kinds[0]}; give all of them the same"
        )
    if members[0] is not None:
        columns = {key: _column([each[key] for each in members if each], name, sizes) for key in members[0]}
        return columns if isinstance(rows[0], Mapping) else tuple(columns.values())
    if all(isinstance(row, Tensor) for row in rows):
        shapes = {tuple(row.shape[1:] if sizes else row.shape) for row in rows}
        return rows if len(shapes) > 1 else torch.cat(rows) if sizes else torch.stack(rows)
    return _column([one for row in rows for one in row], name, None) if sizes else [_array(row) for row in rows]


def _are_parts(rows: list[Any], sizes: list[int] | None) -> bool:
    """Whether tuples and lists are of several inputs each; a list is where it holds arrays, else it is a vector.

    In batches these are arrays of all examples, as torch's own collate_fn makes a list of them; a tuple or a list that
    is as long as every batch is of one member an example.
    """
    first = rows[0]
    if not isinstance(first, tuple | list) or not first:
        return False
    if sizes is None:
        return isinstance(first, tuple) or all(getattr(part, "ndim", 0) for part in first)
    batches = list(zip(rows, sizes, strict=True))
    arrays = all(getattr(part, "ndim", 0) and len(part) == size for row, size in batches for part in row)
    torchs = isinstance(first, list) or hasattr(first, "_fields")
    return (arrays and torchs) or any(len(row) != size for row, size in batches)


def split(row: Any, name: str, place: int) -> tuple[Any, Any]:
    """The input and the label of an example or a batch."""
    names = getattr(row, "_fields", ())
    if any(key in LABELS for key in names):
        row = dict(zip(names, row, strict=True))
    if isinstance(row, Mapping):
        if label := next((key for key in LABELS if key in row), None):
            x = {key: value for key, value in row.items() if key != label}
            return (next(iter(x.values())) if len(x) == 1 else x), row[label]
        raise UsageError(
            f"{name}: example {place} has {', '.join(map(str, row))}; call one of them {' or '.join(LABELS)}"
        )
    if isinstance(row, tuple | list) and len(row) == 2:
        return row[0], row[1]
    size = f" of {len(row)}" if isinstance(row, tuple | list) else ""
    raise UsageError(f"{name}: example {place} is a {type(row).__name__}{size}; an example is (x, y)")


def _array(value: Any) -> Any:
    """A picture as an array; anything else as it is."""
    return np.asarray(value) if hasattr(value, "getbands") else value
