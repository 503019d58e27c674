"""Who works on what, so that two processes on one store do not repeat each other's work.

A lease is a file that names its holder; a thread touches it every few seconds, whatever the work does meanwhile. A
holder counts as gone when its process is, or, on another machine, when the file has not been touched for a minute. A
takeover (a holder that was asleep for that long, say) may repeat work, it never corrupts it: results are the same bits
and are stored atomically.
"""

import contextlib
import fcntl
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from prunescope.runs.store.store import Store

STALE_SECONDS = 60.0
BEAT_SECONDS = 5.0


class Lease:
    """A held lease, whose file is touched until it is released."""

    def __init__(self, store: Store, path: Path, mark: str) -> None:
        """Starts the thread that touches the file. mark: the file's text, which names the holder."""
        self.store, self.path, self.mark = store, path, mark
        self.released = threading.Event()
        threading.Thread(target=self._beat, name=f"lease {path.name[:8]}", daemon=True).start()

    def _beat(self) -> None:
        while not self.released.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):  # taken over, or a disk that is away for a moment
                os.utime(self.path)

    def release(self) -> None:
        """Removes the lease, if it is still this holder's."""
        self.released.set()
        with contextlib.suppress(OSError), _locked(self.store):
            if self.path.read_text() == self.mark:
                self.path.unlink()


def acquire(store: Store, node: str) -> Lease | None:
    """The lease on a node, or None while a live process holds it.

    Raises StoreError when the store cannot be written.
    """
    path = store.root / "leases" / node
    mark = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    with store.guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(store):
            if alive(path):
                return None
            path.write_text(mark)
    return Lease(store, path, mark)


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    """No other process acquires or releases a lease meanwhile; the system unlocks when a process ends."""
    with (store.root / ".leases").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def alive(path: Path) -> bool:
    """Whether the file is a lease whose holder still works; one that names nobody was left behind by a kill."""
    try:
        words, age = path.read_text().split(), time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    if len(words) < 2:
        return False
    if words[0] == socket.gethostname():
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it exists, and belongs to another user
    return age < STALE_SECONDS
