"""Examples as people hold them: pairs of arrays, torch `Dataset`s and `DataLoader`s, Hugging Face `datasets`.

Belongs here: reading each of them once. Does not belong here: types and values (`conversion.py`), files.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.data import ConcatDataset

from prunescope.base.blame import blaming, explain
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.tasks.data import conversion
from prunescope.tasks.data.columns import LABELS, Pair, split, together

LOOKS = 16
"""About so many examples are read twice, to see whether they are drawn at random."""
SECONDS = 2.0
"""Reading that takes longer says how far it is."""


def pair(data: Any, *, name: str) -> Pair:
    """The examples of anything that holds some; name: "train" or "test", for messages.

    Permitted are (x, y), with x an array, a dictionary or a tuple of arrays; a torch Dataset or a list of pairs; a
    DataLoader, whose Dataset is read in order; a Hugging Face dataset. Raises UsageError for anything else, and, with
    the example and the line of the user's code, for a Dataset that fails.
    """
    if isinstance(data, tuple) or (isinstance(data, list) and len(data) == 2):
        if len(data) == 2:
            order = _names(data[1])
            return Pair(data[0], data[1], order or _categories(data[1]), order)
        raise UsageError(f"{name} is a tuple of {len(data)}; give (x, y)")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        columns = ", ".join(map(str, list(data.columns)[:12]))
        raise UsageError(f"{name} is a table of {columns}; give (x, y): its columns of numbers, and the one of labels")
    if isinstance(data, Mapping):
        raise UsageError(
            f"{name} is a dictionary of {', '.join(map(str, data))}; give (x, y), where x may be a dictionary of "
            "arrays, or one of its members that is a data set"
        )
    with torch.random.fork_rng(devices=[]), blaming(name):  # whoever draws while reading leaves no trace
        if hasattr(data, "dataset") and hasattr(data, "collate_fn"):
            held = _of_loader(data, name)
        elif _is_indexed(data):
            held = together(_each(data, name), name)
        elif isinstance(data, Iterable):
            held = together(_all(data, name), name)
        else:
            raise UsageError(f"{name} is a {type(data).__name__}; give (x, y), a torch Dataset or a DataLoader")
        return held._replace(class_names=_names(_inside(data)), order=called(data))


def called(data: Any) -> tuple[str, ...]:
    """What a data set, or a pair (x, y) of Hugging Face, calls the labels 0, 1, ...; empty where it does not say.

    Raises UsageError for a ConcatDataset of parts that call them otherwise, unless its labels are texts.
    """
    data = data[1] if isinstance(data, tuple | list) and len(data) == 2 else _inside(data)
    parts = data.datasets if isinstance(data, ConcatDataset) else ()
    orders = [called(part) for part in parts]
    for label, names in enumerate(zip(*filter(None, orders), strict=False)):
        if len(set(names)) > 1 and not isinstance(split(data[0], "a ConcatDataset", 0)[1], str):
            raise UsageError(
                f"label {label} is {' and '.join(map(repr, dict.fromkeys(names)))} in parts of a ConcatDataset; give "
                "all of them the same classes in the same order"
            )
    return _names(data) or _texts(getattr(data, "classes", None)) or max(orders, key=len, default=())


def _inside(data: Any) -> Any:
    """The data set that loaders and subsets are of."""
    while hasattr(data, "dataset") and not (hasattr(data, "features") or hasattr(data, "classes")):
        data = data.dataset
    return data


def _is_indexed(data: Any) -> bool:
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def _names(data: Any) -> tuple[str, ...]:
    """The classes of a Hugging Face dataset, or of its column of labels; none of others."""
    features = getattr(data, "features", None)
    if isinstance(features, Mapping):
        features = next((features[key] for key in LABELS if key in features), None)
    return _texts(getattr(features, "names", None))


def _texts(found: Any) -> tuple[str, ...]:
    """The members of a list of texts; none of anything else."""
    return tuple(found) if isinstance(found, list | tuple) and all(isinstance(one, str) for one in found) else ()


def _categories(y: Any) -> tuple[str, ...]:
    """The classes of a categorical of texts of pandas, or an Enum of polars, in its own order; none of others.

    A Categorical of polars has no order of its own, but that in which the process met its texts.
    """
    found: Any = getattr(getattr(y, "dtype", None), "categories", None)
    own = list(found) if hasattr(found, "to_numpy") else []
    return tuple(own) if all(isinstance(value, str) for value in own) else ()


def _each(data: Any, name: str, places: Sequence[int] | None = None) -> list[Any]:
    """Examples of a map-style Dataset, by default all. Raises UsageError if some are others at a second look."""
    if places is None:
        with blaming(f"{name}: len()", always=True):
            places = range(len(data))
    before = _generators()
    rows = list(_watched((data[place] for place in places), len(places), name))
    # An odd step: a flip leaves every second example as it is.
    for row in range(0, len(rows), len(rows) // LOOKS | 1 if _generators() == before else 1):
        if not _equal(rows[row], data[places[row]]):
            raise _drawn(f"example {places[row]} of {type(data).__name__}", name)
    return rows


def _all(data: Iterable[Any], name: str) -> list[Any]:
    """What an iterable yields. Raises UsageError where a second look at the first of it shows something else."""
    before = _generators()
    rows = list(_watched(data, None, name))
    looks = LOOKS if _generators() == before else len(rows)
    again = [] if isinstance(data, Iterator) else islice(data, looks)
    if not all(_equal(row, other) for row, other in zip(rows, again, strict=False)):
        raise _drawn(f"what {type(data).__name__} yields", name)
    return rows


def _generators() -> tuple[Any, ...]:
    """The states of the global generators: where reading has changed them, all of it is looked at twice."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), str(np.random.get_state())  # noqa: NPY002


def _drawn(what: str, name: str) -> UsageError:
    return UsageError(
        f"{name}: {what} is another one each time, so it is drawn at random; it is read only once here. Leave random "
        "transforms out, and give them as augmentation=..."
    )


def _of_loader(loader: Any, name: str) -> Pair:
    """The examples of a loader's Dataset that its sampler takes, put together by its collate_fn.

    They are put together as one batch, so that what is padded has one length. A stream is read here and not by the
    loader's workers, each of which may yield all of it.
    """
    data, size = loader.dataset, getattr(loader, "batch_size", None) or 64
    indexed = _is_indexed(data)
    rows = _each(data, name, _taken(loader, name)) if indexed else _all(data, name)
    if loader.batch_sampler is None:
        made = [loader.collate_fn(row) for row in rows]
        return together(made, name, batched=bool(made) and not indexed and np.ndim(split(made[0], name, 0)[1]) > 0)
    conversion.same_length({"x": rows}, name=name)
    before, starts = _generators(), range(0, len(rows), size)
    with blaming(f"{name}: collate_fn", always=True):
        made = loader.collate_fn(rows)
        for start in starts[:1] if _generators() == before else starts:
            batch = rows[start : start + size]
            if not _equal(loader.collate_fn(batch), loader.collate_fn(batch)):
                raise _drawn("a batch of its collate_fn", name)
    _check_alone(loader.collate_fn, rows[: min(size, LOOKS)], made, name)
    return together([made], name, batched=True)


def _check_alone(collate: Callable[[list[Any]], Any], rows: list[Any], made: Any, name: str) -> None:
    """Raises UsageError where an example of a batch is another one by itself, or stands at another place."""
    for place, row in enumerate(rows):
        try:
            alone = collate([row])
        except Exception:  # some take no single example
            return
        if not _has(made, alone, place):
            raise UsageError(
                f"{name}: what collate_fn makes of example {place} depends on the others of its batch, in values or in "
                "order, so no loss of an example would mean anything; let it put examples together as they are"
            )


def _has(batch: Any, alone: Any, place: int) -> bool:
    """Whether a batch has at a place what stands alone in another; what is padded to other lengths is not compared."""
    if isinstance(alone, Mapping):
        return all(_has(batch[key], alone[key], place) for key in alone)
    if isinstance(alone, tuple | list):
        return len(alone) != len(batch) or all(_has(one, other, place) for one, other in zip(batch, alone, strict=True))
    shape: Any = getattr(alone, "shape", ())
    if len(shape) < 1 or shape[0] != 1 or len(batch) <= place or batch.shape[1:] != shape[1:]:
        return True
    there, here = _dense(batch[place : place + 1]), _dense(alone)
    return _equal(there, here) or (here.dtype.kind == "f" and np.allclose(there, here, rtol=1e-3, atol=1e-6))


def _taken(loader: Any, name: str) -> list[int]:
    """Places of the examples that a loader's sampler takes, in its order where it has one, else in that of the Dataset.

    Raises UsageError for a sampler that takes some examples more often, or others each time.
    """
    own = loader.batch_sampler
    sampler = loader.sampler if own is None else getattr(own, "sampler", own)
    before = _generators()
    first, second = (
        [place for some in sampler for place in (some if isinstance(some, tuple | list) else [some])] for _ in range(2)
    )
    places = sorted(map(int, first))
    if len(set(places)) != len(places) or places != sorted(map(int, second)):
        raise UsageError(
            f"{name}: the loader's {type(sampler).__name__} takes examples more than once, or other ones each time, "
            "and they are read only once here; give the Dataset itself, and sampler=ps.Balanced() or "
            "ps.Weighted(...) to the recipe"
        )
    return list(map(int, first)) if first == second and _generators() == before else places


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


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    if isinstance(first, tuple | list):
        return len(first) == len(second) and all(map(_equal, first, second))
    left, right = _dense(first), _dense(second)
    if left.dtype.kind in "fc" and left.shape == right.shape:
        return bool(np.array_equal(left, right, equal_nan=True))
    return bool(np.array_equal(left, right))


def _dense(value: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value.detach().cpu().to_dense() if isinstance(value, Tensor) else value)
