"""The user's own arrays in the data folder: once by content, with what is known of them.

Belongs here: files, what they hold and how large they are. Does not belong here: what arrays may be (`conversion.py`).

tensors/<digest>.json names the four arrays of a source, its class names and groups of examples; arrays/<digest>.npy is
one array, which several sources may share. Older versions wrote tensors/<digest>.npz, which are still read.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.value import array_digest
from prunescope.tasks.data.files import folder
from prunescope.tasks.data.source import Content

LINKS = "folders"
"""The part of the data folder that has links to folders of pictures."""
SHORT = 12
"""Digits of a digest that people see and type."""


@dataclass(frozen=True)
class Holding:
    """A source of the user's own in the data folder.

    digest: of its content.
    shapes: of its arrays, by name.
    bytes: on the disk; what it shares with others is counted in each.
    used: when it was last read or given, seconds since 1970.
    class_names: names of classes 0, 1, ...; empty if they have none.
    groups: names of the groupings of its examples.
    """

    digest: str
    shapes: dict[str, tuple[int, ...]]
    bytes: int
    used: float
    class_names: tuple[str, ...]
    groups: tuple[str, ...]


def keep(content: Content, facts: dict[str, Any]) -> None:
    """Writes arrays that are not here yet, and what is known of them; facts replace earlier ones of the same name."""
    digest = content.digest
    before = _facts(digest) or {}
    if "arrays" not in before and not _old_path(digest).exists():
        before = {"arrays": {name: keep_array(leaf.numpy()) for name, leaf in content._asdict().items()}}
    _write(_facts_path(digest), lambda path: path.write_text(json.dumps({**before, **facts}, sort_keys=True)))


def keep_array(array: NDArray[Any]) -> str:
    """Writes an array unless it is here, and returns its digest."""
    digest = array_digest(array)
    if not _array_path(digest).exists():
        _write(_array_path(digest), lambda path: np.save(path, array, allow_pickle=False))
    return digest


def content(digest: str) -> Content:
    """The stored arrays of a source. Raises DataError if a file is missing or damaged."""
    try:
        known = facts(digest)
        if "arrays" not in known:
            with np.load(_old_path(digest), allow_pickle=False) as stored:
                return Content(*(torch.from_numpy(stored[name]) for name in Content._fields))
        os.utime(_facts_path(digest))
        return Content(*(_array(known["arrays"][name]) for name in Content._fields))
    except Exception as problem:  # a damaged file can fail in many ways
        raise DataError(
            f"tensors {digest[:SHORT]} cannot be read ({problem}); they were given to a task. Give the same tensors "
            f"again, with PRUNESCOPE_DATA={folder()}"
        ) from None


def facts(digest: str) -> dict[str, Any]:
    """What is known of a source of the user's own; empty where nothing is."""
    return _facts(digest) or {}


def stored_array(digest: str) -> NDArray[Any]:
    """An array by its digest. Raises DataError if it is missing or damaged."""
    try:
        return _array(digest).numpy()
    except Exception as problem:  # a damaged file can fail in many ways
        raise DataError(f"array {digest[:SHORT]} cannot be read ({problem}); give the task's data again") from None


def holdings() -> Iterator[Holding]:
    """Everything of the user's own in the data folder, the last used first."""
    paths = [*_tensors().glob("*.json"), *_tensors().glob("*.npz")]
    for path in sorted(paths, key=lambda path: -path.stat().st_mtime):
        known = facts(path.stem)
        files = {name: _array_path(digest) for name, digest in known.get("arrays", {}).items()}
        present = {name: file for name, file in files.items() if file.exists()}
        yield Holding(
            digest=path.stem,
            shapes={name: np.load(file, mmap_mode="r").shape for name, file in present.items()},
            bytes=path.stat().st_size + sum(file.stat().st_size for file in present.values()),
            used=path.stat().st_mtime,
            class_names=tuple(known.get("class_names", ())),
            groups=tuple(known.get("groups", {})),
        )


def links() -> Iterator[tuple[str, Path]]:
    """Folders of pictures of the user's own: the digits that name each, and where it is."""
    for link in sorted((folder() / LINKS).glob("*")):
        yield link.name, link.resolve()


def remove(prefix: str) -> int:
    """Removes the source whose digest begins so, and the arrays that no other source has; the bytes that are free.

    Of a folder of pictures only the link to it is removed. Raises UsageError if none or several begin so.
    """
    linked = [name for name, _ in links()]
    known = [row.digest for row in holdings()] + linked
    matching = [digest for digest in known if prefix and digest.startswith(prefix)]
    if len(matching) != 1:
        there = ", ".join(digest[:SHORT] for digest in known) or "none"
        raise UsageError(f"{prefix!r} is the beginning of {len(matching)} of your data sets; there are {there}")
    if matching[0] in linked:
        (folder() / LINKS / matching[0]).unlink()
        return 0
    before, own = _size(), set(_digests(facts(matching[0])))
    for path in (_facts_path(matching[0]), _old_path(matching[0])):
        path.unlink(missing_ok=True)
    needed = {digest for row in holdings() for digest in _digests(facts(row.digest))}
    for path in _arrays().glob("*.npy"):
        written = time.time() - path.stat().st_mtime > 60.0  # else another process may be about to name it
        if path.stem not in needed and (path.stem in own or written):
            path.unlink()
    return before - _size()


def _digests(known: dict[str, Any]) -> Iterator[str]:
    yield from known.get("arrays", {}).values()
    for grouping in known.get("groups", {}).values():
        yield from (split for split in grouping["codes"].values() if split)


def _size() -> int:
    return sum(path.stat().st_size for place in (_tensors(), _arrays()) for path in place.glob("*.*"))


def _facts(digest: str) -> dict[str, Any] | None:
    path = _facts_path(digest)
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def _array(digest: str) -> Tensor:
    return torch.from_numpy(np.load(_array_path(digest), allow_pickle=False))


def _tensors() -> Path:
    return folder() / "tensors"


def _arrays() -> Path:
    return folder() / "arrays"


def _facts_path(digest: str) -> Path:
    return _tensors() / f"{digest}.json"


def _old_path(digest: str) -> Path:
    return _tensors() / f"{digest}.npz"


def _array_path(digest: str) -> Path:
    return _arrays() / f"{digest}.npy"


def _write(path: Path, write: Any) -> None:
    """Writes a file beside `path` and moves it, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as workshop:
        unfinished = Path(workshop) / path.name
        write(unfinished)
        unfinished.replace(path)
