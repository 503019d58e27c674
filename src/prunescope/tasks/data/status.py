"""What state the downloaded data sets are in."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prunescope.base.errors import DataError
from prunescope.tasks.data import cifar, idx
from prunescope.tasks.data.files import content, dataset, how_to_get, present


@dataclass(frozen=True)
class FileStatus:
    """One file: where it lies (None: nowhere), its size on disk, and whether it is the published one.

    published is None where that cannot be told: the content's own MD5 was never published.
    """

    name: str
    path: Path | None
    bytes: int
    published: bool | None


@dataclass(frozen=True)
class Status:
    """One data set: its state, its files, and what to do where the state is not "present"."""

    name: str
    state: Literal["present", "missing", "corrupt"]
    files: tuple[FileStatus, ...]
    problem: str | None = None

    @property
    def published(self) -> bool | None:
        """Whether all files are the published ones; False is a variant, None where it cannot be told."""
        told = {file.published for file in self.files}
        if False in told:
            return False
        return None if None in told else True


def status(name: str) -> Status:
    """The state of a data set: reads and parses all of its files.

    Raises UsageError for a name that is not in the table of data sets.
    """
    found = present(name)
    files = tuple(_file_status(name, file.name, found.get(file.name)) for file in dataset(name).files)
    if len(found) < len(files):
        return Status(name, "missing", files, how_to_get(name))
    try:
        check(name)
    except DataError as problem:
        return Status(name, "corrupt", files, str(problem))
    return Status(name, "present", files)


def check(name: str) -> None:
    """Read a data set and forget it; DataError if a file is missing or damaged, UsageError for its name."""
    match name:
        case "mnist" | "fashion-mnist":
            idx.read(name)
        case "cifar10" | "cifar100":
            cifar.read(name)
        case _:
            dataset(name)


def _file_status(name: str, file: str, path: Path | None) -> FileStatus:
    """Where a file lies, and whether its MD5, as it lies or uncompressed, is a published one."""
    if path is None:
        return FileStatus(file, None, 0, None)
    (expected,) = (item.md5 for item in dataset(name).files if item.name == file)
    wrappers = {item.name: item.md5 for item in dataset(name).downloads}
    published: bool | None
    if wrappers.get(path.name) == _md5(path.read_bytes()):
        published = True
    else:
        published = None if expected is None else _content_md5(path, name=name) == expected
    return FileStatus(file, path, path.stat().st_size, published)


def _content_md5(path: Path, *, name: str) -> str | None:
    """The MD5 of the uncompressed content; None if it cannot be uncompressed."""
    try:
        return _md5(content(path, name=name))
    except DataError:
        return None


def _md5(data: bytes) -> str:
    """A checksum against accidents, not against attackers."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
