"""Examples as people hold them: pairs of arrays, torch `Dataset`s and `DataLoader`s, Hugging Face `datasets`.

Belongs here: reading each of them once. Does not belong here: types and values (`conversion.py`), files.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from prunescope.base.blame import blaming, explain
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.tasks.data import conversion

LABELS = ("label", "labels", "target", "y")
"""What the label of an example may be called where its members have names."""
LOOKS = 16
"""About so many examples are read twice, to see whether they are drawn at random."""
SECONDS = 2.0
"""Reading that takes longer says how far it is."""


class Pair(NamedTuple):
    """Examples as they were held.

    x: an array, or arrays by the name or place of an argument.
    y: the labels.
    class_names: what the source itself calls its classes.
    """

    x: Any
    y: Any
    class_names: tuple[str, ...] = ()


def pair(data: Any, *, name: str) -> Pair:
    """The examples of anything that holds some; name: "train" or "test", for messages.

    Permitted are (x, y), with x an array, a dictionary or a tuple of arrays; a torch Dataset or a list of pairs; a
    DataLoader, whose Dataset is read in order; a Hugging Face dataset. Raises UsageError for anything else, and, with
    the example and the line of the user's code, for a Dataset that fails.
    """
    if hasattr(data, "column_names") and hasattr(data, "features"):
        return _columns(data, name)
    if isinstance(data, tuple) or (isinstance(data, list) and len(data) == 2):
        if len(data) == 2:
            return Pair(data[0], data[1], _categories(data[1]))
        raise UsageError(f"{name} is a tuple of {len(data)}; give (x, y)")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        columns = ", ".join(map(str, list(data.columns)[:12]))
        raise UsageError(f"{name} is a table of {columns}; give (x, y): its columns of numbers, and the one of labels")
    if isinstance(data, Mapping):
        raise UsageError(
            f"{name} is a dictionary of {', '.join(map(str, data))}; give (x, y), where x may be a dictionary of arrays"
        )
    with torch.random.fork_rng(devices=[]), blaming(name):  # whoever draws while reading leaves no trace
        if hasattr(data, "dataset") and hasattr(data, "collate_fn"):
            return _of_loader(data, name)
        if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
            return _together(_each(data, name), name)
        if isinstance(data, Iterable):
            return _together(_all(data, name), name)
    raise UsageError(f"{name} is a {type(data).__name__}; give (x, y), a torch Dataset or a DataLoader")


def _categories(y: Any) -> tuple[str, ...]:
    """The classes of a categorical of texts of pandas, or an Enum of polars, in its own order; none of others.

    A Categorical of polars has no order of its own, but that in which the process met its texts.
    """
    found: Any = getattr(getattr(y, "dtype", None), "categories", None)
    own = list(found) if hasattr(found, "to_numpy") else []
    return tuple(own) if all(isinstance(value, str) for value in own) else ()


def _each(data: Any, name: str, places: Sequence[int] | None = None) -> list[Any]:
    """Examples of a map-style Dataset, by default all. Raises UsageError if some are others at a second look."""
    places = range(len(data)) if places is None else places
    rows = list(_watched((data[place] for place in places), len(places), name))
    # An odd step: a flip leaves every second example as it is.
    for row in range(0, len(rows), len(rows) // LOOKS | 1):
        if not _equal(rows[row], data[places[row]]):
            raise _drawn(f"example {places[row]} of {type(data).__name__}", name)
    return rows


def _all(data: Iterable[Any], name: str) -> list[Any]:
    """What an iterable yields. Raises UsageError where a second look at the first of it shows something else."""
    rows = list(_watched(data, None, name))
    again = [] if isinstance(data, Iterator) else list(islice(data, LOOKS))
    if not _equal(rows[: len(again)], again):
        raise _drawn(f"what {type(data).__name__} yields", name)
    return rows


def _drawn(what: str, name: str) -> UsageError:
    return UsageError(
        f"{name}: {what} is another one each time, so it is drawn at random; it is read only once here. Leave random "
        "transforms out, and give them as augmentation=..."
    )


def _of_loader(loader: Any, name: str) -> Pair:
    """The examples of a loader's Dataset that its sampler takes, in their own order, put together by its collate_fn."""
    data, size = loader.dataset, getattr(loader, "batch_size", None) or 64
    if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        return _together(_all(loader, name), name, torch.cat)
    rows = _each(data, name, _taken(loader, name))
    if loader.batch_sampler is None:
        return _together([loader.collate_fn(row) for row in rows], name)
    starts = range(0, len(rows), size)
    batches = (loader.collate_fn(rows[start : start + size]) for start in starts)
    made = list(_watched(batches, len(starts), name))
    if made and not _equal(made[0], loader.collate_fn(rows[:size])):
        raise _drawn("the first batch of its collate_fn", name)
    return _together(made, name, torch.cat)


def _taken(loader: Any, name: str) -> list[int]:
    """Places of the examples that a loader's sampler takes. Raises UsageError for one that takes some more often."""
    own = loader.batch_sampler
    sampler = loader.sampler if own is None else getattr(own, "sampler", own)
    first, second = ([place for some in sampler for place in (some if own is sampler else [some])] for _ in range(2))
    places = sorted(map(int, first))
    if len(set(places)) != len(places) or places != sorted(map(int, second)):
        raise UsageError(
            f"{name}: the loader's {type(sampler).__name__} takes examples more than once, or other ones each time, "
            "and they are read only once here; give the Dataset itself, and sampler=ps.Balanced() or "
            "ps.Weighted(...) to the recipe"
        )
    return places


def _columns(data: Any, name: str) -> Pair:
    """The columns of a Hugging Face dataset: its label, and all others by their names."""
    label = next((column for column in LABELS if column in data.column_names), None)
    if label is None:
        raise UsageError(
            f"{name} has the columns {', '.join(data.column_names)}; call one of them {' or '.join(LABELS)}"
        )
    names = tuple(getattr(data.features[label], "names", None) or ())
    others = [column for column in data.column_names if column != label]
    conversion.require_memory(2 * (getattr(data, "dataset_size", None) or 0), name=name)
    columns = {column: [_array(value) for value in data[column]] for column in others}
    return Pair(columns[others[0]] if len(others) == 1 else columns, list(data[label]), names)


def _together(rows: Sequence[Any], name: str, put: Callable[[list[Tensor]], Tensor] = torch.stack) -> Pair:
    """Examples (x, y), dictionaries with a label, or (put=torch.cat) batches of them, as columns."""
    pairs = [_split(row, name, place) for place, row in enumerate(rows)]
    return Pair(*(_column(list(part), put) for part in zip(*pairs, strict=True))) if pairs else Pair([], [])


def _column(rows: list[Any], put: Callable[[list[Tensor]], Tensor]) -> Any:
    """A column of single values, tensors, batches of texts, or dictionaries and tuples of them."""
    first = rows[0]
    if isinstance(first, Mapping):
        return {name: _column([row[name] for row in rows], put) for name in first}
    if put is torch.cat and all(map(_are_texts, rows)):
        return [text for batch in rows for text in batch]
    if isinstance(first, tuple):
        return tuple(_column(list(column), put) for column in zip(*rows, strict=True))
    if all(isinstance(row, Tensor) for row in rows):
        shapes = {tuple(row.shape[1:] if put is torch.cat else row.shape) for row in rows}
        return put(rows) if len(shapes) == 1 else rows
    return [_array(row) for row in rows]


def _are_texts(batch: Any) -> bool:
    return isinstance(batch, tuple | list) and all(isinstance(value, str) for value in batch)


def _split(row: Any, name: str, place: int) -> tuple[Any, Any]:
    """The input and the label of an example or a batch."""
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


def _watched(rows: Iterable[Any], total: int | None, name: str) -> Iterable[Any]:
    """The same, with its progress on the error stream; a failure names the example and the user's line."""
    started = reported = time.monotonic()
    iterator, count, first = iter(rows), 0, (None, None)
    while True:
        try:
            row = next(iterator)
        except StopIteration:
            break
        except PrunescopeError:
            raise
        except Exception as problem:
            raise UsageError(f"{name}: example {count} cannot be read: {explain(problem)}") from problem
        if total and not count:  # held twice: as single examples, and put together
            conversion.require_memory(2 * total * _size(row), name=name)
        first = first if count else (row, tree_map(_copied, row))
        yield row
        count += 1
        if (now := time.monotonic()) - reported > SECONDS:
            reported = now
            sys.stderr.write(f"\rreading {name}: {count}{f' of {total}' if total else ''} ")
    if not _equal(*first):
        raise UsageError(
            f"{name}: example 0 is another one after the last was read; return new arrays each time, copy()"
        )
    if reported != started:
        sys.stderr.write(f"\rreading {name}: {count}, done\n")


def _size(row: Any) -> int:
    """Bytes of an example, as far as its arrays say so."""
    if isinstance(row, Mapping | tuple | list):
        return sum(_size(part) for part in (row.values() if isinstance(row, Mapping) else row))
    if isinstance(row, Tensor):  # of which a sparse one has no `nbytes`
        return row.numel() * row.element_size()
    return int(getattr(row, "nbytes", 8))


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value.copy() if hasattr(value, "copy") else value


def _array(value: Any) -> Any:
    """A picture as an array; anything else as it is."""
    return np.asarray(value) if hasattr(value, "getbands") else value


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    if isinstance(first, tuple | list):
        return len(first) == len(second) and all(map(_equal, first, second))
    left, right = (
        np.asarray(value.detach().cpu().to_dense() if isinstance(value, Tensor) else value) for value in (first, second)
    )
    if left.dtype.kind in "fc" and left.shape == right.shape:
        return bool(np.array_equal(left, right, equal_nan=True))
    return bool(np.array_equal(left, right))
