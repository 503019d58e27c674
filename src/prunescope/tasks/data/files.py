"""The published data sets, their files on disk, and how they are downloaded.

Belongs here: the table of published data sets, the folder, finding files, reading bytes, downloads. Does not
belong here: what the bytes mean (`idx`, `cifar`).

Every process looks for data sets in one folder: $PRUNESCOPE_DATA, or the user's cache where that is unset. The folder
is never part of an id.
"""

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data.source import Content
from prunescope.tasks.data.stand_in import stand_in


@dataclass(frozen=True)
class Download:
    """A file as it is published.

    name: name of the file.
    md5: MD5 of the file as it is published.
    urls: addresses of the file, in the order in which they are tried.
    """

    name: str
    md5: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A published data set.

    title: name of the data set in text.
    places: folders that may hold its files, relative to the data folder; the one with most of them is used.
    files: the files that are read, by name without .gz: published MD5 of the content, None where none was published.
    downloads: the files that are published.
    """

    title: str
    places: tuple[str, ...]
    files: Mapping[str, str | None]
    downloads: tuple[Download, ...]


_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _idx(
    title: str, places: tuple[str, ...], urls: tuple[str, ...], md5: tuple[tuple[str, str | None], ...]
) -> Dataset:
    """A data set of four gzipped IDX files. md5: (compressed, uncompressed) of each."""
    files = dict(zip(_IDX, md5, strict=True))
    downloads = [
        Download(f"{name}.gz", wrapper, tuple(f"{url}/{name}.gz" for url in urls))
        for name, (wrapper, _) in files.items()
    ]
    return Dataset(title, places, {name: content for name, (_, content) in files.items()}, tuple(downloads))


def _cifar(name: str, title: str, layout: str, archive: str, md5: str, files: Mapping[str, str | None]) -> Dataset:
    """A data set of pickles that are published in one archive, inside a folder `layout`."""
    download = Download(archive, md5, (f"https://www.cs.toronto.edu/~kriz/{archive}",))
    return Dataset(title, (f"{name}/{layout}", name, layout), files, (download,))


DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        "mnist": _idx(
            "MNIST",
            ("mnist", "."),
            ("https://ossci-datasets.s3.amazonaws.com/mnist",),
            (
                ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
                ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
                ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
                ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
            ),
        ),
        # Its files have the names of MNIST's, so they are never looked for beside the other data sets.
        "fashion-mnist": _idx(
            "Fashion-MNIST",
            ("fashion-mnist",),
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            ),
            (
                ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", None),
                ("25c81989df183df01b3e8a0aad5dffbe", None),
                ("bef4ecab320f06d8554ea6380940ec79", None),
                ("bb300cfdad3c16e7a12a480ee83cd310", None),
            ),
        ),
        "cifar10": _cifar(
            "cifar10",
            "CIFAR-10",
            "cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
        "cifar100": _cifar(
            "cifar100",
            "CIFAR-100",
            "cifar-100-python",
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ),
    }
)
"""The published data sets that can be found and downloaded, by name."""

Fingerprint = tuple[tuple[str, int, int], ...]
"""(path, bytes, time of last change in ns) of each file of a data set; it changes when a file is replaced."""


def folder() -> Path:
    """The folder that holds all data: $PRUNESCOPE_DATA, or the user's cache folder where that is unset."""
    import pooch  # here, because most commands need no download

    path = os.environ.get("PRUNESCOPE_DATA")
    return Path(path).expanduser() if path else Path(pooch.os_cache("prunescope")) / "data"


def dataset(name: str) -> Dataset:
    """The published data set of that name. Raises UsageError for an unknown name."""
    if name not in DATASETS:
        raise UsageError(f"{name!r} is not a data set that can be downloaded; choose one of {', '.join(DATASETS)}")
    return DATASETS[name]


def present(name: str) -> dict[str, Path]:
    """The files that are present, by name, in the folder that holds most of them; each may be plain or .gz."""
    return max((_present_in(folder() / place, dataset(name)) for place in dataset(name).places), key=len)


def locate(name: str) -> dict[str, Path]:
    """The path of every file of a data set, by name.

    Raises DataError if one is missing; the message says where to put the files and where they are published.
    """
    paths = present(name)
    if missing := [file for file in dataset(name).files if file not in paths]:
        raise DataError(f"{dataset(name).title} lacks {', '.join(missing)}. {how_to_get(name)}")
    return paths


def fingerprint(paths: Mapping[str, Path]) -> Fingerprint:
    """The fingerprint of the files, which shows without reading them whether they have changed."""
    stats = [(str(path), path.stat()) for path in paths.values()]
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def summary(name: str, read: Callable[[str], Content]) -> dict[str, Any]:
    """The fields that every source has (`Content.summary`), of a data set that is read anew only where files changed.

    Raises DataError if files are missing or damaged.
    """
    made = _made(name)
    return made.summary if made else _summary(name, read, fingerprint(locate(name)))


def complete(name: str) -> bool:
    """Whether all files of a data set are there."""
    return dataset(name).files.keys() <= present(name).keys()


def content(name: str, read: Callable[[str], Content]) -> Content:
    """The content of a data set, or what stands in for it while a plan is priced.

    Raises DataError if files are missing or damaged.
    """
    return _made(name) or read(name)


def _made(name: str) -> Content | None:
    """What stands in for a data set; None where it is there, or nothing may."""
    return None if complete(name) else stand_in(name)


@cache
def _summary(name: str, read: Callable[[str], Content], files: Fingerprint) -> dict[str, Any]:
    """`files` is a part of the cache's key."""
    return read(name).summary


def how_to_get(name: str) -> str:
    """The instructions for a data set that is missing or damaged."""
    row = dataset(name)
    places = " or ".join(str(folder() / place) for place in row.places)
    urls = "\n".join(f"  {url}" for download in row.downloads for url in download.urls)
    return (
        f"Run `prunescope data get {name}`, or put {', '.join(row.files)} "
        f"(plain or .gz) into {places}. Published at\n{urls}"
    )


def damaged(what: object, problem: str, *, name: str) -> DataError:
    """The error of a file of the data set `name` that does not hold what it should, with the fix."""
    return DataError(f"{what} {problem}. Delete it, then run `prunescope data get {name}`")


def uncompressed(path: Path, *, name: str) -> bytes:
    """The uncompressed bytes of a file of the data set `name`.

    Raises DataError if the file cannot be read or its compression is damaged.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as problem:
        kind = "gzip file" if path.suffix == ".gz" else "file"
        raise damaged(path, f"cannot be read ({problem}); a whole {kind} is expected", name=name) from problem


def is_published(file: str, path: Path, *, name: str) -> bool | None:
    """Whether a file of the data set `name` is the published one, as it is or uncompressed, by its MD5.

    None if that of its content was never published. MD5 is a checksum against accidents, not against attackers.
    """
    row = dataset(name)
    if _md5(path.read_bytes()) in [item.md5 for item in row.downloads if item.name == path.name]:
        return True
    if row.files[file] is None:
        return None
    try:
        return _md5(uncompressed(path, name=name)) == row.files[file]
    except DataError:  # a damaged file is not the published one
        return False


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


Progress = Callable[[str, int, int], None]
"""Called while downloading with the file's name, the bytes so far, and the bytes in all."""


def download(name: str, progress: Progress | None = None) -> Path:
    """Downloads a data set into its own folder, checks each file against its published MD5, and returns the folder.

    Raises DataError when no address answers with the published file.
    """
    row = dataset(name)
    target = folder() / name
    for item in row.downloads:
        path = _fetch(item, target, name=name, progress=progress)
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                archive.extractall(target, filter="data")
            path.unlink()
    return target


def _present_in(place: Path, row: Dataset) -> dict[str, Path]:
    """The files of a data set that are in one folder; a plain file is preferred to a compressed one."""
    candidates = [(name, place / f"{name}{suffix}") for name in row.files for suffix in (".gz", "")]
    return {name: path for name, path in candidates if path.is_file()}


def _fetch(item: Download, target: Path, *, name: str, progress: Progress | None) -> Path:
    """Downloads a published file from the first address that has it."""
    import pooch  # here, because most commands need no download

    problems = []
    for url in item.urls:
        bar = _Bar(item.name, progress) if progress else False
        try:
            fetched = pooch.retrieve(
                url,
                known_hash=f"md5:{item.md5}",
                fname=item.name,
                path=target,
                downloader=pooch.HTTPDownloader(progressbar=bar),
            )
            return Path(fetched)
        except (OSError, ValueError) as problem:
            problems.append(f"{url}: {problem}")
    raise DataError(f"{item.name} could not be downloaded ({'; '.join(problems)}). {how_to_get(name)}")


class _Bar:
    """A progress bar as pooch expects it, which calls a Progress function."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.name, self.progress, self.total, self.done = name, progress, 0, 0

    def update(self, count: int) -> None:
        """Adds bytes that arrived."""
        self.done += count
        self.progress(self.name, self.done, self.total)

    def reset(self) -> None:
        """Starts again from 0: pooch calls this before its last update, which then counts all bytes."""
        self.done = 0

    def close(self) -> None:
        """Does nothing; pooch calls it at the end."""
