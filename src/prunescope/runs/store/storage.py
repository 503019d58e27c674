"""Where the bytes of a store lie: objects under keys such as "runs/3f/3f…/manifest.json", on a disk or in a bucket.

A leaf is one file: `local.py`, `cloud.py`.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prunescope.base.errors import UsageError

AT_ONCE = 16
"""Requests that are under way at the same time."""


@dataclass(frozen=True)
class Entry:
    """One object.

    size: bytes.
    changed: a text that is another one once the object was replaced.
    """

    key: str
    size: int
    changed: str


class Storage(Protocol):
    """Objects under keys. Whoever reads one, at whatever moment of a write or a kill, sees all of it or nothing.

    Every method raises StoreError, with the fix, for what the system or the service refuses.
    """

    @property
    def url(self) -> str:
        """How people name it: the path of a folder, or "s3://bucket/lab"."""

    def get(self, key: str) -> bytes | None:
        """The content; None if there is no such object."""

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """Writes the object, in the place of an earlier one. durable: it outlives a power cut that comes after."""

    def create(self, key: str, content: bytes, *, durable: bool = True) -> bool:
        """Writes the object if there is none yet; False if there is one. Of several that try, exactly one succeeds."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """All objects below a folder, at any depth; "" for the whole store. Links are not followed."""

    def names(self, folders: Collection[str]) -> dict[str, set[str]]:
        """What lies directly in each of these folders, by name; a folder that is empty is left out."""

    def delete(self, key: str) -> None:
        """Removes the object, if there is one."""


def storage_at(address: Path | str) -> Storage:
    """The storage at an address: the path of a folder, or the URL of a bucket and what lies before the keys."""
    from prunescope.runs.store.cloud import CloudStorage
    from prunescope.runs.store.local import LocalStorage

    if str(address).startswith("file:"):
        raise UsageError(f"{address} is no bucket; give the folder by its path")
    return CloudStorage(str(address)) if is_url(address) else LocalStorage(address)


def plain(content: bytes | None) -> Any:
    """What JSON says; None where it is none, damaged or nested without end."""
    try:
        return json.loads(content or b"")
    except (ValueError, RecursionError):
        return None


def is_url(address: Path | str) -> bool:
    """Whether an address names a bucket rather than a folder."""
    return "://" in str(address)
