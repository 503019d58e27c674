"""Files of the user's own on the command line: npz, parquet, and folders of pictures."""

import sys
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data import conversion
from prunescope.tasks.data.columns import LABELS
from prunescope.tasks.data.groups import columns
from prunescope.tasks.data.images import image_folder
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.library import SHORT
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tensors import own
from prunescope.tasks.targets import Target

SUFFIXES = (".npz", ".parquet")
SPLIT = "split"
"""The column of a table that says "train" or "test" of each row."""


def file_source(
    path: str, target: Target, *, names: tuple[str, ...] = (), trained: bool = True, groups: Collection[str] = ()
) -> tuple[Source, Layout | None]:
    """The examples of a file or a folder, and how a network gets them; read once and kept by content.

    npz: arrays train_x, train_y, test_x, test_y (or x_train, ...), and class_names if there are some; other arrays
        train_NAME and test_NAME of texts, whole numbers or booleans, one an example, are columns of groups.
    folder of npy: train_x.npy, train_y.npy, ...: the same, which may be larger than memory where x is float32.
    parquet: a column called label, labels, target or y; a column split of "train" and "test"; columns of numbers, which
        are the examples [N, D]; columns of texts, which are groups where no value is missing.
    folder: pictures in train/<class>/ and val/<class>/.
    names: what else may be given in the place of a path, for messages.
    trained: whether training examples are needed; see `own` for what becomes of them where they are missing.
    groups: names of columns that are groups whatever they hold, so that what they cannot hold is an error.

    Raises UsageError for another file, DataError for one that is missing or damaged.
    """
    place = Path(path).expanduser()
    if (place / "train_x.npy").is_file():
        return _kept(path, _pairs(path, _arrays(place), trained, groups), target)
    if place.is_dir():
        return image_folder(str(place.resolve())), None
    if place.suffix not in SUFFIXES:
        raise UsageError(
            f"data={path} is no folder that is here, and does not end in {' or '.join(SUFFIXES)}; give one of these"
            + (f", or one of {', '.join(names)}" if names else "")
        )
    if not place.is_file():
        raise DataError(f"data={path} is not there ({place.resolve()}); give the path of a file")
    return _kept(path, (_npz if place.suffix == ".npz" else _parquet)(place, trained, groups), target)


def _kept(path: str, given: Mapping[str, Any], target: Target) -> tuple[Source, Layout | None]:
    """What a file holds, kept; says which groups are of an earlier file with the same examples."""
    source, layout, _ = own(**given, target=target)
    if earlier := sorted(set(columns(source.digest)) - given["groups"].keys()):
        sys.stderr.write(
            f"{path} has no groups; used are those given with the same examples before: {', '.join(earlier)} "
            f"(`prunescope data rm {source.digest[:SHORT]}` forgets them)\n"
        )
    return source, layout


def _npz(path: Path, trained: bool, wanted: Collection[str]) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(item.file_size for item in packed.infolist())
        conversion.require_memory(size, name=str(path))
        with np.load(path, allow_pickle=False) as stored:
            return _pairs(str(path), dict(stored), trained, wanted)
    except UsageError:
        raise
    except Exception as problem:  # a damaged zip file can fail in many ways
        raise DataError(
            f"{path} cannot be read ({problem}); write it with np.savez(path, train_x=..., train_y=..., test_x=..., "
            "test_y=...), of arrays of numbers or texts"
        ) from None


def _arrays(folder: Path) -> dict[str, Any]:
    """The arrays of a folder, which stay on the disk. Raises DataError for one that is damaged."""
    try:
        return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}
    except Exception as problem:  # a damaged file can fail in many ways
        raise DataError(f"an array of {folder} cannot be read ({problem}); write it with np.save") from None


def _pairs(path: str, arrays: Mapping[str, Any], trained: bool, wanted: Collection[str]) -> dict[str, Any]:
    """The arrays of both splits, names of classes, and columns of groups."""
    pairs: dict[str, Any] = {}
    others = dict(arrays)
    for split in ("test", "train"):
        keys = [next((key for key in (f"{split}_{part}", f"{part}_{split}") if key in arrays), None) for part in "xy"]
        if not trained and split == "train" and keys == [None, None]:
            pairs[split] = None
            continue
        if None in keys:
            needs = "train_x, train_y, test_x and test_y" if trained else "test_x and test_y"
            raise UsageError(f"{path} has {', '.join(sorted(arrays))}; it needs {needs}")
        pairs[split] = tuple(others.pop(str(key)) for key in keys)
    names = others.pop("class_names", None)
    groups: dict[str, dict[str, Any]] = {}
    for key, column in others.items():
        split, _, name = key.partition("_")
        if split in pairs and name and (name in wanted or (column.ndim == 1 and column.dtype.kind in "biuU")):
            groups.setdefault(name, {})[split] = column
    return {**pairs, "class_names": None if names is None else names.tolist(), "groups": groups}


def _parquet(path: Path, trained: bool, wanted: Collection[str]) -> dict[str, Any]:
    from pyarrow import types  # here, because most commands read no tables

    table = _table(path)
    unnamed, orders = {*_index(table)} - {*wanted, *LABELS, SPLIT}, _orders(table)
    names = [name for name in table.column_names if name not in unnamed]
    label = next((name for name in LABELS if name in names), None)
    if not table.num_rows:
        raise UsageError(f"{path} has no rows; each is an example")
    if len(set(names)) != len(names) or label is None or (trained and SPLIT not in names):
        raise UsageError(
            f"{path} has the columns {', '.join(names)}; it needs one of {', '.join(LABELS)}, one called {SPLIT} with "
            "train or test in each row, and no name twice"
        )
    for place, (name, kind) in enumerate(zip(table.column_names, table.schema.types, strict=True)):
        if types.is_dictionary(kind) or types.is_decimal(kind):
            plain = kind.value_type if types.is_dictionary(kind) else "float64"
            table = table.set_column(place, name, table.column(place).cast(plain))
    words = [name for name in names if types.is_string(table[name].type) or types.is_large_string(table[name].type)]
    lacking = [name for name in names if table[name].null_count]
    if used := [name for name in lacking if name in (label, SPLIT, *wanted) or name not in words]:
        raise UsageError(
            f"{path} has missing values in {', '.join(used)}; remove those rows, or give a missing group a name, such "
            "as 'unknown'"
        )
    split = np.array(table[SPLIT].to_pylist() if SPLIT in names else ["test"] * table.num_rows)
    if odd := sorted(set(split.tolist()) - {"train", "test"}):
        raise UsageError(f"{path} has {odd[0]!r} in the column {SPLIT}; each row is of train or test")
    others = [name for name in names if name not in (label, SPLIT, *lacking)]
    texts = [name for name in others if name in words or name in wanted]
    columns = {name: _column(path, table, name) for name in [*others, label]}
    numbers = [name for name in others if name not in texts]
    x = _examples(path, {name: columns[name] for name in numbers})
    rows = {name: np.flatnonzero(split == name) for name in ("train", "test")}
    if not trained and not len(rows["train"]):
        del rows["train"]
    groups = {name: {part: columns[name][row] for part, row in rows.items()} for name in texts}
    facts = {"groups": groups, "columns": numbers, "class_names": orders.get(label)}
    return {"train": None} | facts | {part: (x[row], columns[label][row]) for part, row in rows.items()}


def _table(path: Path) -> Any:
    """The table of a file. Raises DataError for a file that is damaged."""
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        conversion.require_memory(16 * file.metadata.num_rows * file.metadata.num_columns, name=str(path))
        return file.read()
    except UsageError:
        raise
    except Exception as problem:  # what pyarrow raises for a damaged file differs by damage
        raise DataError(f"{path} cannot be read ({str(problem).splitlines()[0]}); write it anew") from None


def _index(table: Any) -> list[str]:
    """The columns in which pandas keeps the index of its rows: no numbers of an example."""
    described = (table.schema.pandas_metadata or {}).get("index_columns", ())
    return [name for name in described if isinstance(name, str)]


def _orders(table: Any) -> dict[str, list[str]]:
    """The categories of texts that pandas, or an ordered type, gave an order; in other tables they have the rows'."""
    from pyarrow import types

    described = (table.schema.pandas_metadata or {}).get("columns", ())
    categorical = {row["name"] for row in described if row.get("pandas_type") == "categorical"}
    fields = [field for field in table.schema if types.is_dictionary(field.type) and table.num_rows]
    held = {field.name: table[field.name] for field in fields if field.type.ordered or field.name in categorical}
    orders = {name: column.unify_dictionaries().chunk(0).dictionary.to_pylist() for name, column in held.items()}
    return {name: order for name, order in orders.items() if all(isinstance(one, str) for one in order)}


def _column(path: Path, table: Any, name: str) -> np.ndarray[Any, Any]:
    """A column as an array. Raises UsageError for lists of several lengths."""
    try:
        return np.array(table[name].to_pylist())
    except ValueError:
        raise UsageError(f"{path} has lists of several lengths in {name}; pad them to one") from None


def _examples(path: Path, columns: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Columns of numbers side by side, floating [N, D]; a single column of lists as it is."""
    parts = list(columns.values())
    if odd := [name for name, part in columns.items() if part.dtype.kind not in "iufb"]:
        raise UsageError(
            f"{path} has values in {', '.join(odd)} that are no numbers, such as {str(columns[odd[0]][0])[:40]}; "
            "columns are numbers, texts (groups), or lists of one length without missing values"
        )
    if not parts:
        raise UsageError(f"{path} has no column of numbers; they are the examples")
    if len(parts) == 1 and parts[0].ndim > 1:
        return parts[0]
    return np.concatenate([part.reshape(len(part), -1).astype(np.float64) for part in parts], axis=1)
