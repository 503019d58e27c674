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


_VERIFIED: dict[str, object] = {}
"""When and how large the files of a source were when their content was held against its digest, in this process."""


def keep(content: Content, facts: dict[str, Any]) -> dict[str, Any]:
    """Writes arrays that are not here yet, and what is known of them; facts replace earlier ones of the same name.

    Returns what every `Source` has.
    """
    summary = content.summary
    digest = summary["digest"]
    before = known(digest)
    if "arrays" not in before and not _path(digest, ".npz").exists():
        before = {"arrays": {name: keep_array(leaf.numpy()) for name, leaf in content._asdict().items()}}
    text = json.dumps({**before, **facts}, sort_keys=True)
    _write(_path(digest, ".json"), lambda path: path.write_text(text))
    return summary


def keep_array(array: NDArray[Any]) -> str:
    """Writes an array unless it is here, and returns its digest."""
    digest = array_digest(array)
    if not (place := _path(digest, ".npy")).exists():
        _write(place, lambda path: np.save(path, array, allow_pickle=False))
    return digest


def known(digest: str) -> dict[str, Any]:
    """What is known of a source of the user's own; empty where nothing is."""
    path = _path(digest, ".json")
    return dict(json.loads(path.read_text())) if path.exists() else {}


def verified(digest: str) -> Content:
    """The stored arrays of a source, held against its digest once for each process and change of a file.

    Raises DataError if a file is missing, damaged, or another one.
    """
    held = content(digest)
    arrays = known(digest).get("arrays", {})
    files = [_path(array, ".npy") for array in arrays.values()] or [_path(digest, ".npz")]
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    if _VERIFIED.get(digest) != stamps:
        held.verified(digest, name="the user's tensors")
        _VERIFIED[digest] = stamps
    return held


def content(digest: str) -> Content:
    """The stored arrays of a source. Raises DataError if a file is missing or damaged."""
    try:
        facts = known(digest)
        if "arrays" not in facts:
            with np.load(_path(digest, ".npz"), allow_pickle=False) as stored:
                return Content(*(torch.from_numpy(stored[name]) for name in Content._fields))
        os.utime(_path(digest, ".json"))
        return Content(*(array(facts["arrays"][name]) for name in Content._fields))
    except Exception as problem:  # a damaged file can fail in many ways
        raise DataError(
            f"tensors {digest[:SHORT]} cannot be read ({problem}); they were given to a task. Give the same tensors "
            f"again, with PRUNESCOPE_DATA={folder()}"
        ) from None


def array(digest: str) -> Tensor:
    """An array by its digest, read from the disk where it is used. Raises DataError if it is missing or damaged."""
    try:
        return torch.from_numpy(np.load(_path(digest, ".npy"), mmap_mode="c", allow_pickle=False))
    except Exception as problem:  # a damaged file can fail in many ways
        raise DataError(f"array {digest[:SHORT]} cannot be read ({problem}); give the task's data again") from None


def holdings() -> Iterator[Holding]:
    """Everything of the user's own in the data folder, the last used first."""
    tensors = folder() / "tensors"
    paths = [*tensors.glob("*.json"), *tensors.glob("*.npz")]
    for path in sorted(paths, key=lambda path: -path.stat().st_mtime):
        facts = known(path.stem)
        files = {name: _path(digest, ".npy") for name, digest in facts.get("arrays", {}).items()}
        present = {name: file for name, file in files.items() if file.exists()}
        yield Holding(
            digest=path.stem,
            shapes={name: np.load(file, mmap_mode="r").shape for name, file in present.items()},
            bytes=path.stat().st_size + sum(file.stat().st_size for file in present.values()),
            used=path.stat().st_mtime,
            class_names=tuple(facts.get("class_names", ())),
            groups=tuple(facts.get("groups", {})),
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
    there = [row.digest for row in holdings()] + linked
    matching = [digest for digest in there if prefix and digest.startswith(prefix)]
    if len(matching) != 1:
        shown = ", ".join(digest[:SHORT] for digest in there) or "none"
        raise UsageError(f"{prefix!r} is the beginning of {len(matching)} of your data sets; there are {shown}")
    if matching[0] in linked:
        (folder() / LINKS / matching[0]).unlink()
        return 0
    own = set(_digests(matching[0]))
    gone = [path for suffix in (".json", ".npz") if (path := _path(matching[0], suffix)).exists()]
    needed = {digest for row in holdings() if row.digest != matching[0] for digest in _digests(row.digest)}
    for path in (folder() / "arrays").glob("*.npy"):
        settled = time.time() - path.stat().st_mtime > 60.0  # else another process may be about to name it
        if path.stem not in needed and (path.stem in own or settled):
            gone.append(path)
    freed = sum(path.stat().st_size for path in gone)
    for path in gone:
        path.unlink()
    return freed


def _digests(source: str) -> Iterator[str]:
    """The digests of a source's arrays, those of its groups included."""
    facts = known(source)
    yield from facts.get("arrays", {}).values()
    for grouping in facts.get("groups", {}).values():
        yield from filter(None, grouping["codes"].values())


def _path(digest: str, suffix: str) -> Path:
    return folder() / ("arrays" if suffix == ".npy" else "tensors") / f"{digest}{suffix}"


def _write(path: Path, write: Any) -> None:
    """Writes a file beside `path` and moves it, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as workshop:
        unfinished = Path(workshop) / path.name
        write(unfinished)
        unfinished.replace(path)
