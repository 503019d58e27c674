"""A store in a folder, on a disk of this machine or one that several machines mount (NFS, Lustre)."""

import errno
import os
import re
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from prunescope.base.errors import StoreError, refused
from prunescope.runs.store.storage import Entry

_UNDER_WAY = re.compile(r"\..+\.[0-9a-f]{8}", re.DOTALL)
ATTEMPTS = 50
"""How often a folder is made anew that somebody else removes as empty before a file lies in it."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


class LocalStorage:
    """Files below a folder. Names that begin with a dot are files under way, or somebody else's: never objects."""

    def __init__(self, root: Path | str) -> None:
        """Makes no folder yet."""
        try:
            self.root = Path(root).expanduser().resolve()
        except (RuntimeError, ValueError, OSError) as problem:
            raise StoreError(
                f"{str(root)!r} is no path of a store ({problem}); choose another folder (--store)"
            ) from None
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root} cannot be opened as a store (it is a file); choose another folder (--store)")
        self.url = str(self.root)
        self._begun = False  # whether anything was written

    def get(self, key: str) -> bytes | None:
        """The content of the file."""
        with self._guarded(key, "read"), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return (self.root / key).read_bytes()
        return None

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """One rename puts the file into its place."""
        with self._written(key, content, durable) as (temporary, path):
            temporary.replace(path)

    def create(self, key: str, content: bytes, *, durable: bool = True) -> bool:
        """A second name for a whole file, which the system gives once, also on NFS.

        Where it gives no second names, the file is made exclusively and then written: only a kill in between leaves a
        part of it, which its digest tells.
        """
        with self._written(key, content, durable) as (temporary, path):
            try:
                if os.name == "nt":
                    temporary.rename(path)  # which replaces nothing there
                else:
                    os.link(temporary, path)
            except FileExistsError:
                _require_target(path)
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
                return False
            except OSError as problem:
                if problem.errno not in _NO_LINKS:
                    raise
                try:
                    with path.open("xb") as file:
                        _write(file, content, durable)
                except FileExistsError:
                    return False
                except OSError:
                    path.unlink(missing_ok=True)
                    raise
        return True

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(f"{self.url}/{key}")  # noqa: PTH113

    def entries(self, folder: str) -> Iterator[Entry]:
        """The files below the folder; links and hidden names are left out."""
        for key, entry in self._below(folder):
            if entry.name[0] != "." and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    facts = entry.stat()
                    yield Entry(key, facts.st_size, str(facts.st_mtime_ns))

    def links(self, folder: str) -> Iterator[Path]:
        """The links below the folder."""
        yield from (Path(entry.path) for _, entry in self._below(folder) if entry.is_symlink())

    def _below(self, folder: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        """What lies below the folder by key, folders aside, walked without recursion; nothing behind a link."""
        start = self.root / folder
        pending = [folder] if start.resolve() == start else []  # else it lies behind a link
        while pending:
            inside = pending.pop()
            with self._guarded(inside, "read"), suppress(FileNotFoundError, NotADirectoryError):
                for entry in os.scandir(f"{self.url}/{inside}"):
                    key = f"{inside}/{entry.name}" if inside else entry.name
                    if not entry.is_dir(follow_symlinks=False):
                        yield key, entry
                    elif entry.name[0] != ".":
                        pending.append(key)

    def names(self, folders: Collection[str]) -> dict[str, set[str]]:
        """One look into each folder."""
        inside: dict[str, set[str]] = {}
        for folder in folders:
            with self._guarded(folder, "read"), suppress(FileNotFoundError, NotADirectoryError):
                found = [entry for entry in os.scandir(f"{self.url}/{folder}") if entry.name[0] != "."]
                for link in filter(os.DirEntry.is_symlink, found):
                    _require_target(Path(link.path))
                if names := {entry.name for entry in found if not entry.is_dir()}:
                    inside[folder] = names
        return inside

    def delete(self, key: str) -> None:
        """Removes the file, and the folders that held nothing else, up to one below the root; nothing behind a link."""
        path = self.root / key
        if path.parent.resolve() != path.parent:
            return
        with self._guarded(key, "remove"):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            for folder in path.parents[: -len(self.root.parents) - 2]:
                folder.rmdir()

    def under_way(self) -> list[Path]:
        """Files that killed processes did not put into their places; nothing behind a link."""
        found = (entry for _, entry in self._below("") if _UNDER_WAY.fullmatch(entry.name))
        return sorted(Path(entry.path) for entry in found if entry.is_file(follow_symlinks=False))

    @contextmanager
    def _written(self, key: str, content: bytes, durable: bool) -> Iterator[tuple[Path, Path]]:
        """The content in a file of its own beside its place; both paths. What is left of it afterwards is removed."""
        path = self.root / key
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        with self._guarded(key, "write"):
            for attempt in range(ATTEMPTS):
                try:
                    file = temporary.open("wb")
                    break
                except FileNotFoundError:  # the first there, or somebody removed the folder, which was empty
                    if attempt == ATTEMPTS - 1:
                        raise
                with suppress(FileNotFoundError):
                    self._make(path.parent, durable)
            self._begun = True
            try:
                with file:
                    _write(file, content, durable)
                yield temporary, path
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
            if durable:
                _sync_names(path.parent)

    def _make(self, folder: Path, durable: bool) -> None:
        """Makes a folder and those that it lies in, but no store anew in the place of one that work goes on in."""
        if self._begun and not (self.root.exists() and any(self.root.iterdir())):
            raise StoreError(f"{self.root} was moved, deleted or unmounted; put it back, and the same command goes on")
        folder.mkdir(parents=True, exist_ok=True)
        while durable and folder != self.root:
            folder = folder.parent
            _sync_names(folder)

    @contextmanager
    def _guarded(self, key: str, to: str) -> Iterator[None]:
        """Turns what the operating system refuses into a StoreError with the fix."""
        try:
            yield
        except OSError as problem:
            raise StoreError(
                f"cannot {to} {self.root / key}: {refused(problem)}. Nothing stored so far is lost; the same command "
                "then goes on"
            ) from problem


def _require_target(path: Path) -> None:
    """Raises StoreError for a link that leads nowhere: what is behind it cannot be told to be missing."""
    if path.is_symlink() and not path.exists():
        raise StoreError(f"{path} is a link that leads nowhere; remove it, or mount what it leads to")


def _sync_names(folder: Path) -> None:
    """A power cut takes no name away that the folder has now."""
    if os.name != "nt":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _write(file: IO[bytes], content: bytes, durable: bool) -> None:
    file.write(content)
    if durable:
        file.flush()
        os.fsync(file.fileno())
