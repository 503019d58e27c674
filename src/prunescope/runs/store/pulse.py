"""A process as a holder of leases, and its sign of life: an object that it replaces while it holds any."""

import contextlib
import json
import os
import platform
import socket
import threading
import uuid
from dataclasses import asdict, dataclass
from functools import cache

import psutil

from prunescope.base.digest import text_digest
from prunescope.base.errors import StoreError
from prunescope.runs.store.storage import Storage, plain

BEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Holder:
    """A process that holds leases.

    worker: its name in this store.
    host: its machine, for people.
    machine: what it shares with processes that it sees by their numbers, for programs.
    process: its number there.
    started: when, by the clock of its machine, so that a later process of the same number is not taken for it.
    """

    worker: str
    host: str
    machine: str
    process: int
    started: float

    @property
    def gone(self) -> bool | None:
        """Whether the process has ended; None where only signs of life can tell."""
        if self.machine != _machine():
            return None
        try:
            process = psutil.Process(self.process)
            if process.status() == psutil.STATUS_ZOMBIE:  # in a container, say, where nobody asks how it ended
                return True
            # Else it is a later process of the same number, or the clock was set meanwhile.
            return False if abs(process.create_time() - self.started) <= 1.0 else None
        except (psutil.NoSuchProcess, ValueError, OverflowError):
            return True
        except psutil.Error:
            return None

    def __str__(self) -> str:
        return f"process {self.process} of {self.host}"

    @classmethod
    def read(cls, content: bytes | None) -> "Holder | None":
        """Whom a lease, or a sign of life, names; None if it names nobody."""
        try:
            facts = plain(content)
            holder = cls(*(kind(facts[name]) for name, kind in cls.__annotations__.items()))
        except (ValueError, KeyError, TypeError, OverflowError):
            return None
        return holder if holder.worker.isalnum() else None  # it is part of a key


@cache
def _machine() -> str:
    """Containers of one machine may share a name and a network card, but not the numbers of processes."""
    numbering = 0
    with contextlib.suppress(OSError):
        numbering = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116
    return text_digest(f"{platform.node()} {uuid.getnode()} {numbering}")


class Pulse:
    """The part of one process in the leases of one store.

    seen: of holders elsewhere, by lease: their latest sign of life, and when it was first seen, by this process's
        monotonic clock.
    """

    def __init__(self, storage: Storage) -> None:
        """Shows nothing yet."""
        process = psutil.Process()
        self.storage = storage
        self.holder = Holder(uuid.uuid4().hex, socket.gethostname(), _machine(), process.pid, process.create_time())
        self.seen: dict[str, tuple[bytes, float]] = {}
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def hold(self, node: str) -> None:
        """A lease on the node is held from now on."""
        with self._lock:
            self._held.add(node)
            if len(self._held) == 1:
                self._stopped = threading.Event()
                threading.Thread(target=self._beat, args=(self._stopped,), name="leases", daemon=True).start()

    def let_go(self, node: str) -> None:
        """And no longer."""
        with self._lock:
            self._held.discard(node)
            if not self._held:
                self._stopped.set()

    def _beat(self, stopped: threading.Event) -> None:
        key, beats = sign_key(self.holder), 0
        while not stopped.wait(BEAT_SECONDS):
            beats += 1
            sign = {**asdict(self.holder), "beats": beats}
            with contextlib.suppress(StoreError):  # a disk that is away for a moment
                self.storage.put(key, json.dumps(sign).encode(), durable=False)
        if beats:
            with contextlib.suppress(StoreError):
                self.storage.delete(key)


def sign_key(holder: Holder) -> str:
    """Where the sign of life of a holder lies."""
    return f"workers/{holder.worker}"
