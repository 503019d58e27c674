"""The user's own arrays in the data folder: once by content, with what is known of them.

Belongs here: files, what they hold and how large they are. Does not belong here: what arrays may be (`conversion.py`).

tensors/<digest>.json names the four arrays of a source, its class names and groups of examples; arrays/<digest>.npy is
one array, which several sources may share. Older versions wrote tensors/<digest>.npz, which are still read.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.files import write_whole
from prunescope.base.value import array_digest, text_digest
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
"""When and how large the files of a source were when they were held against its digest, in this process."""


def keep(content: Content, facts: dict[str, Any]) -> dict[str, Any]:
    """Writes arrays that are not here yet, and what is known of them; facts replace earlier ones of the same name.

    Returns what every `Source` has.
    """
    summary = content.summary
    digest = summary["digest"]
    before: dict[str, Any] = {}
    try:
        before = known(digest)
    except DataError:
        _set_aside(_path(digest, ".json"))
    now = {**before, **facts}
    if not _path(digest, ".npz").exists():
        now["arrays"] = {name: keep_array(leaf.numpy()) for name, leaf in content._asdict().items()}
    if now != before:
        text = json.dumps({**now, "seal": _seal(now)}, sort_keys=True)
        _write(_path(digest, ".json"), lambda path: path.write_text(text))
    _use(digest)
    return summary


def keep_array(array: NDArray[Any]) -> str:
    """Writes an array unless it is here, and returns its digest."""
    digest = array_digest(array)
    if not (place := _path(digest, ".npy")).exists():
        _write(place, lambda path: np.save(path, array, allow_pickle=False))
    return digest


def _use(digest: str) -> None:
    """Notes when a source was used, where that can be written: a folder that is shared may be read only."""
    with contextlib.suppress(OSError):
        os.utime(_path(digest, ".json"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Raises DataError where the data folder cannot be written in."""
    try:
        write_whole(path, write)
    except OSError as problem:
        raise DataError(
            f"cannot write {path} ({problem.strerror}); free some space, or set PRUNESCOPE_DATA to another folder, now "
            f"{folder()}"
        ) from problem


def known(digest: str) -> dict[str, Any]:
    """What is known of a source of the user's own; empty where nothing is. Raises DataError if the file is damaged."""
    path = _path(digest, ".json")
    try:
        facts = dict(json.loads(path.read_text()))
        if facts.pop("seal", None) not in (None, _seal(facts)):
            raise ValueError("it is not what its digest says")
        return facts
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, RecursionError) as problem:
        raise DataError(f"{path} is damaged ({problem}); {_again()}") from None


def content(digest: str) -> Content:
    """The stored arrays of a source.

    Raises DataError if they are missing or not what was given; what is damaged is set aside, so that the same tensors,
    given again, are written again.
    """
    facts = known(digest)
    paths = [_path(digest, ".json"), *(_path(held, ".npy") for held in _digests(digest))]
    try:
        if "arrays" not in facts:
            paths = [_path(digest, ".npz")]
            with np.load(paths[0], allow_pickle=False) as stored:
                found = Content(*(torch.from_numpy(stored[name]) for name in Content._fields))
        else:
            _use(digest)
            found = Content(*(_mapped(facts["arrays"][name]) for name in Content._fields))
        stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.suffix != ".json"]
        if _VERIFIED.get(digest) != stamps and found.digest != digest:
            raise ValueError("they are not what was given")
        _VERIFIED[digest] = stamps
    except Exception as problem:  # a damaged file can fail in many ways
        damaged = [path for path in paths[1:] if path.exists() and not _is_whole(path)]
        for path in damaged or paths[:1]:
            _set_aside(path)
        raise DataError(f"tensors {digest[:SHORT]} cannot be read ({problem}); {_again()}") from None
    return found


def array(digest: str) -> Tensor:
    """An array by its digest. Raises DataError if it is missing or not what was given."""
    path = _path(digest, ".npy")
    if not _is_whole(path):
        _set_aside(path)
        raise DataError(f"array {digest[:SHORT]} of tensors is missing or damaged; {_again()}")
    return _mapped(digest)


def _mapped(digest: str) -> Tensor:
    """An array that is read from the disk where it is used."""
    return torch.from_numpy(np.load(_path(digest, ".npy"), mmap_mode="c", allow_pickle=False))


def _is_whole(path: Path) -> bool:
    """Whether an array's file holds what its name says."""
    with contextlib.suppress(Exception):  # a damaged file can fail in many ways
        return array_digest(np.load(path, mmap_mode="r", allow_pickle=False)) == path.stem
    return False


def _seal(facts: dict[str, Any]) -> str:
    return text_digest(json.dumps(facts, sort_keys=True))


def _again() -> str:
    return f"they were given to a task: give the same ones again, with PRUNESCOPE_DATA={folder()}"


def _set_aside(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.damaged"))


def holdings() -> Iterator[Holding]:
    """Everything of the user's own in the data folder, the last used first."""
    tensors = folder() / "tensors"
    paths = [*tensors.glob("*.json"), *tensors.glob("*.npz")]
    for path in sorted(paths, key=lambda path: -path.stat().st_mtime):
        facts: dict[str, Any] = {}
        with contextlib.suppress(DataError):
            facts = known(path.stem)
        files = {name: _path(digest, ".npy") for name, digest in facts.get("arrays", {}).items()}
        present = {name: file for name, file in files.items() if file.is_file()}
        yield Holding(
            digest=path.stem,
            shapes={name: _shape(file) for name, file in present.items()},
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
    own: set[str] = set()
    with contextlib.suppress(DataError):
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


def _shape(path: Path) -> tuple[int, ...]:
    """The shape of a stored array; empty if the file is damaged."""
    try:
        return tuple(np.load(path, mmap_mode="r", allow_pickle=False).shape)
    except (OSError, ValueError, EOFError):
        return ()


def _digests(source: str) -> Iterator[str]:
    """The digests of a source's arrays, those of its groups included."""
    facts = known(source)
    yield from facts.get("arrays", {}).values()
    for grouping in facts.get("groups", {}).values():
        yield from filter(None, grouping["codes"].values())


def _path(digest: str, suffix: str) -> Path:
    return folder() / ("arrays" if suffix == ".npy" else "tensors") / f"{digest}{suffix}"
