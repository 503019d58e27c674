"""Groups of examples of the user's own: a column, such as the site at which each example was taken.

Groups change no training, so they are in no id of a run; a measure of groups names its column by content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.value import text_digest
from prunescope.tasks.data import conversion, library
from prunescope.tasks.data.columns import Pair


@dataclass(frozen=True)
class Grouping:
    """A column over the examples of a source.

    digest: of its names and codes.
    names: names of the groups, sorted.
    codes: int64 [N], by split ("train", "test"): the group of each example; a split without the column is absent.
    """

    digest: str
    names: tuple[str, ...]
    codes: dict[str, Tensor]


def groupings(groups: Mapping[str, Any], train: int, test: int, held: Mapping[str, Pair]) -> dict[str, Any]:
    """Columns as facts of `library.py`, their arrays written.

    groups: by name a pair (train, test) of columns or a dictionary {"train": ..., "test": ...}, either of which may be
        missing (None); or one column, of as many examples as only one of the two sets has. Texts or whole numbers.
    train, test: numbers of examples.
    held: the examples by split, as they were given.
    Raises UsageError for a column of another length, of floating numbers, or with the rows in another order.
    """
    if not isinstance(groups, Mapping):
        raise UsageError(
            f"groups is a {type(groups).__name__}; give a dictionary, e.g. groups={{'site': (train, test)}}"
        )
    return {str(name): _facts(_by_split(column, train, test, str(name), held)) for name, column in groups.items()}


def columns(source: str) -> list[str]:
    """The names of the columns that the source with this digest has."""
    return list(library.known(source).get("groups", {}))


def grouping(source: str, name: str) -> Grouping:
    """The column called `name` of the source with this digest. Raises UsageError, with those there are."""
    known = library.known(source).get("groups", {})
    if name not in known:
        raise UsageError(
            f"the data have no groups {name!r}; there are {', '.join(known) or 'none'}. Give arrays "
            f"train_{name} and test_{name} in the .npz, or groups={{{name!r}: (train, test)}} to Task.from_module()"
        )
    row = known[name]
    codes = {split: library.array(d) for split, d in row["codes"].items()}
    return Grouping(row["digest"], tuple(row["names"]), codes)


def _by_split(column: Any, train: int, test: int, name: str, held: Mapping[str, Pair]) -> dict[str, list[str]]:
    sizes = {"train": train, "test": test}
    if isinstance(column, Mapping):
        parts = dict(column)
    elif isinstance(column, tuple) and len(column) == 2:
        parts = dict(zip(sizes, column, strict=True))
    else:
        entries = len(column) if hasattr(column, "__len__") else "no"
        fitting = [split for split, size in sizes.items() if size == entries]
        if len(fitting) != 1:
            raise UsageError(
                f"groups[{name!r}] has {entries} entries, with {train} training and {test} test examples; give "
                f"groups={{{name!r}: (train, test)}}, either of which may be None"
            )
        parts = {fitting[0]: column}
    for split, part in parts.items():
        conversion.same_rows(part, held.get(split, ())[:2], name=f"groups[{name!r}] {split}")
    rows = {split: _texts(part, f"groups[{name!r}] {split}") for split, part in parts.items() if part is not None}
    for split, row in rows.items():
        if split not in sizes or len(row) != sizes[split]:
            raise UsageError(
                f"groups[{name!r}] has {len(row)} entries for {split}, which has {sizes.get(split, 'no')} examples; "
                "give one an example of train and of test"
            )
    return rows


def _texts(column: Any, name: str) -> list[str]:
    if (texts := conversion.texts(column, name=name)) is not None:
        return texts
    values = conversion.tensor(column, name=name)
    if values.ndim != 1 or values.is_floating_point():
        raise UsageError(f"{name} is {values.dtype} {tuple(values.shape)}; give a text or a whole number an example")
    width = len(str(int(values.max()))) if len(values) and int(values.min()) >= 0 else 0
    return [str(value).zfill(width) if width else str(value) for value in values.tolist()]


def _facts(rows: Mapping[str, list[str]]) -> dict[str, Any]:
    names = sorted({text for row in rows.values() for text in row})
    places = {text: place for place, text in enumerate(names)}
    codes = {
        split: library.keep_array(np.array([places[text] for text in row], dtype=np.int64))
        for split, row in rows.items()
    }
    return {"names": names, "codes": codes, "digest": text_digest(f"{names} {sorted(codes.items())}")}
