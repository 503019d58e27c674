"""The state of the downloaded data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prunescope.base.errors import DataError
from prunescope.tasks.data import cifar, idx
from prunescope.tasks.data.files import dataset, how_to_get, is_published, present


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


def status(name: str) -> DatasetStatus:
    """The state of a data set, all of whose files are read and parsed.

    Raises UsageError for a name that is not in the table of data sets.
    """
    paths = present(name)
    files = tuple(_file_status(name, file, paths.get(file)) for file in dataset(name).files)
    if len(paths) < len(files):
        return DatasetStatus(name, "missing", files, how_to_get(name))
    try:
        (cifar.read if name.startswith("cifar") else idx.read)(name)
    except DataError as problem:
        return DatasetStatus(name, "corrupt", files, str(problem))
    return DatasetStatus(name, "present", files)


def _file_status(name: str, file: str, path: Path | None) -> FileStatus:
    if path is None:
        return FileStatus(file, None, 0, None)
    return FileStatus(file, path, path.stat().st_size, is_published(file, path, name=name))
