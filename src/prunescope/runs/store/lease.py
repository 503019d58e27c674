"""Who works on what, so that two processes on one store do not repeat each other's work.

A lease is a file that names its holder; a thread touches it every few seconds, whatever the work does meanwhile. A
holder counts as gone when its process on this machine is, or when whoever waits has not seen the file change for a
minute: what another machine's clock says does not matter. A takeover (of a holder that was asleep for that long, say)
may repeat work, it never corrupts it: results are the same bits and are stored atomically.
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
SKEW_SECONDS = 900.0
"""By how much the clocks of two machines may differ where a lease is looked at only once."""


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
    """The lease on a node, or None while another process holds it; `holder` says which.

    Raises StoreError when the store cannot be written.
    """
    path = store.root / "leases" / node
    mark = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    with store.guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(store):
            if _works(store, path):
                return None
            path.write_text(mark)
            store.touched.pop(node, None)
    return Lease(store, path, mark)


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    """No other process acquires or releases a lease meanwhile; the system unlocks when a process ends."""
    with (store.root / ".leases").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def holder(store: Store, node: str) -> str:
    """Whom the lease on a node names, for people."""
    process, host = _named(store.root / "leases" / node) or ("?", "?")
    return f"process {process} of {host}"


def alive(path: Path) -> bool:
    """Whether the file is a lease whose holder may still work, by a single look at it."""
    named = _named(path)
    if named is None or named[1] == socket.gethostname():
        return named is not None
    return abs(time.time() - path.stat().st_mtime) < SKEW_SECONDS


def _works(store: Store, path: Path) -> bool:
    """Whether a holder works under the lease; the store remembers when each was last seen to change."""
    if _named(path) is None:
        return False
    stamp, now = path.stat().st_mtime_ns, time.monotonic()
    if store.touched.get(path.name, (0, 0.0))[0] != stamp:
        store.touched[path.name] = (stamp, now)
    return now - store.touched[path.name][1] < STALE_SECONDS


def _named(path: Path) -> tuple[int, str] | None:
    """The process and the machine that a lease names; None if it names nobody, or a process here that is gone."""
    try:
        words = path.read_text(errors="replace").split()
    except FileNotFoundError:
        return None
    if len(words) < 2 or not words[1].isdecimal():
        return None  # left behind by a kill
    if words[0] == socket.gethostname() and not _runs(int(words[1])):
        return None
    return int(words[1]), words[0]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it exists, and belongs to another user
    return True
