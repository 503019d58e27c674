"""Work in spawned processes, one torch thread each: starting, feeding, watching and ending them."""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from prunescope.base.errors import PrunescopeError
from prunescope.runs.execution.executors import carried
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Message, Work
from prunescope.runs.execution.workbench import Workbench

STOP_SECONDS = 30.0
BEAT_SECONDS = 0.3
UNKNOWN = "a worker process cannot import what the work consists of; put it in a module, or use workers=1"
UNABLE = "a worker process ended before it could start (its own message is above); use workers=1"


class Immovable(PrunescopeError):
    """Work that only the calling process can do."""


class Processes:
    """Spawned workers; one that dies is replaced, and its work reported as "died"."""

    def __init__(self, make: Callable[[], Workbench], *, workers: int, baggage: bytes = b"") -> None:
        """Starts the processes.

        make: makes the workbench of each.
        baggage: what the work needs of the caller's script or notebook; `carried.baggage`.
        """
        self.workers, self.arguments = workers, (make, baggage)
        self.dumps = carried.dumps if baggage else pickle.dumps
        self.context = multiprocessing.get_context("spawn")
        self.members = [self._spawn(number) for number in range(workers)]
        self.ready: set[int] = set()

    def start(self, worker: int, work: Work) -> None:
        """Sends the work to a worker."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `wait` notices that it died
            self.members[worker][1].send_bytes(self.dumps(work))

    def wait(self, seconds: float) -> list[Message]:
        """What workers said, and who died.

        Raises PrunescopeError when a worker died before it was ready: the next one would, too.
        """
        messages: list[Message] = []
        readable = wait([pipe for _, pipe in self.members], timeout=seconds)
        for number, (process, pipe) in enumerate(self.members):
            if pipe not in readable:
                continue
            try:
                while pipe.poll():
                    messages.append(replace(pipe.recv(), worker=number))
                    self.ready.add(number)
            except (EOFError, ConnectionResetError):
                process.join(STOP_SECONDS)  # only then its lease counts as left behind
                if number not in self.ready:
                    raise PrunescopeError(UNABLE) from None
                messages += [Message("", kind, worker=number) for kind in ("died", "free")]
                self.ready.discard(number)
                self.members[number] = self._spawn(number)
        return [message for message in messages if message.kind != "ready"]

    def stop(self) -> bool:
        """Tells all workers to checkpoint and end; kills those that do not. Whether all that had begun have."""
        for process, _ in self.members:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process, pipe in self.members:
            process.join(max(0.1, end - time.monotonic()))
            if process.is_alive():
                process.kill()
            pipe.close()
        return all(self.members[number][0].exitcode == 0 for number in self.ready)

    def _spawn(self, number: int) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(
            target=_work, args=(theirs, *self.arguments), daemon=True, name=f"prunescope-{number}"
        )
        with _interrupts_blocked(), _without_main():
            process.start()
        theirs.close()
        return process, ours


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process that starts meanwhile never gets Ctrl-C, not even while it imports; the parent decides for it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else it starts with the first worker, and unblocks Ctrl-C again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """A process that starts meanwhile does not import the caller's script, so a script needs no guard.

    What workers need of the script goes along (`carried.py`).
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(pipe: Connection, make: Callable[[], Workbench], baggage: bytes) -> None:
    """The life of a worker: take work, do it, say so; end on SIGTERM after a checkpoint."""
    idle, stopping = False, False
    last_beats: dict[str, float] = {}

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if idle:
            raise SystemExit(0)

    def beat(node: str, steps: int) -> bool:
        if time.monotonic() - last_beats.get(node, 0.0) > BEAT_SECONDS:
            last_beats[node] = time.monotonic()
            try:
                pipe.send(Message(node, "beat", steps=steps))
            except (BrokenPipeError, ConnectionResetError):
                return False  # the parent is gone
        return not stopping

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, stop)
    keep_memory()
    with _told(), contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        bench = make()
        pipe.send(Message("", "ready"))
        while True:
            idle = True  # from here on SIGTERM ends the process by itself
            if stopping:  # one that came before
                return
            content = pipe.recv_bytes()
            idle = False
            try:
                baggage = carried.unload(baggage) if baggage else b""
                work: Work = pickle.loads(content)
            except Exception as problem:
                pipe.send(Message("", "error", why=f"{UNKNOWN}: {problem!r}", error=Immovable))
                pipe.send(Message("", "free"))
                continue
            last_beats.clear()
            if not do(bench, work, beat, pipe.send):
                return


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What ends the process, such as a disk too full for the checkpoint of a run that is stopped, is one line."""
    try:
        yield
    except PrunescopeError as problem:
        raise SystemExit(f"prunescope: {problem}") from None


def keep_memory() -> None:
    """Keeps freed memory in the process: fresh pages for every large tensor cost a quarter of a small step."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)
    except OSError:
        pass  # another C library: slower, never different
