"""The state of the downloaded data sets."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prunescope.base.errors import DataError
from prunescope.tasks.data import cifar, idx
from prunescope.tasks.data.files import dataset, how_to_get, present, uncompressed


@dataclass(frozen=True)
class FileStatus:
    """The state of one file.

    name: name without .gz.
    path: where the file is; None if it is missing.
    bytes: size on disk.
    published: whether it is the published file; None if its own MD5 was never published.
    """

    name: str
    path: Path | None
    bytes: int
    published: bool | None


@dataclass(frozen=True)
class DatasetStatus:
    """The state of one data set.

    name: name of the data set.
    state: whether its files are present and intact.
    files: the state of each file.
    problem: what is wrong and what to do; None if the state is "present".
    """

    name: str
    state: Literal["present", "missing", "corrupt"]
    files: tuple[FileStatus, ...]
    problem: str | None = None

    @property
    def published(self) -> bool | None:
        """Whether all files are the published ones; None if this is unknown of some and the others are."""
        answers = {file.published for file in self.files}
        if False in answers:
            return False
        return None if None in answers else True


def status(name: str) -> DatasetStatus:
    """The state of a data set, all of whose files are read and parsed.

    Raises UsageError for a name that is not in the table of data sets.
    """
    paths = present(name)
    files = tuple(_file_status(name, *file, paths.get(file[0])) for file in dataset(name).files.items())
    if len(paths) < len(files):
        return DatasetStatus(name, "missing", files, how_to_get(name))
    try:
        (cifar.read if name.startswith("cifar") else idx.read)(name)
    except DataError as problem:
        return DatasetStatus(name, "corrupt", files, str(problem))
    return DatasetStatus(name, "present", files)


def _file_status(name: str, file: str, md5: str | None, path: Path | None) -> FileStatus:
    """The state of a file; it is published if its MD5, as it is or uncompressed, is a published one."""
    if path is None:
        return FileStatus(file, None, 0, None)
    compressed = {item.name: item.md5 for item in dataset(name).downloads}
    published: bool | None = compressed.get(path.name) == _md5(path.read_bytes())
    if not published and md5 is None:
        published = None
    elif not published:
        try:
            published = _md5(uncompressed(path, name=name)) == md5
        except DataError:  # a damaged file is not the published one
            published = False
    return FileStatus(file, path, path.stat().st_size, published)


def _md5(data: bytes) -> str:
    """A checksum against accidents, not against attackers."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
