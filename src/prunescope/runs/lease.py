"""Who works on what, so that two processes on one store do not repeat each other's work.

Belongs here: taking, keeping and giving back a lease. Does not belong here: the work. A takeover may repeat work, it
never corrupts it: results are the same bits and are stored atomically.
"""

import contextlib
import os
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from prunescope.runs.store import Store

STALE_SECONDS = 60.0
BEAT_SECONDS = 5.0


@dataclass
class Lease:
    """A held lease; `beat` must be called at least every STALE_SECONDS."""

    path: Path
    mark: str
    beaten: float = 0.0

    def beat(self) -> None:
        """Says that its holder is alive; cheap to call often."""
        now = time.monotonic()
        if now - self.beaten > BEAT_SECONDS:
            self.beaten = now
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path)

    def release(self) -> None:
        """Gives the lease back, if it is still this holder's."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.read_text() == self.mark:
                self.path.unlink()


def take(store: Store, node: str) -> Lease | None:
    """The lease on a node, or None while a live process holds it."""
    path = store.root / "leases" / node
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    while True:
        try:
            with path.open("x") as file:
                file.write(mark)
            return Lease(path, mark, time.monotonic())
        except FileExistsError:
            if _alive(path):
                return None
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_name(f".stale-{uuid.uuid4().hex}"))


def _alive(path: Path) -> bool:
    try:
        words, age = path.read_text().split(), time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    if len(words) == 3 and words[0] == socket.gethostname():
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return age < STALE_SECONDS
