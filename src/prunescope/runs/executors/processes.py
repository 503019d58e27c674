"""Work in spawned processes, one torch thread each.

Belongs here: starting, feeding, watching and ending them. Does not belong here: which work they get.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path

from prunescope.base.errors import PrunescopeError
from prunescope.runs.engines import LOOP, EngineSetting
from prunescope.runs.executors.executor import Message
from prunescope.runs.executors.worker import do
from prunescope.runs.graph import Reading
from prunescope.runs.packing import Pack
from prunescope.runs.plan import Job
from prunescope.runs.store import Store
from prunescope.runs.workbench import CHECKPOINT_SECONDS, Workbench

STOP_SECONDS = 30.0
BEAT_SECONDS = 0.3
UNKNOWN = "a worker process cannot import what the work consists of; put it in a module, or use workers=1"
UNABLE = "a worker process ended before it could start (its own message is above); use workers=1"


class Processes:
    """Spawned workers; one that dies is replaced, and its work reported as "died"."""

    def __init__(
        self,
        store: Path,
        *,
        workers: int,
        device: str = "cpu",
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        setting: EngineSetting = LOOP,
    ) -> None:
        """Starts the processes."""
        self.setting = setting
        self.workers, self.store, self.device = workers, store, device
        self.checkpoint_seconds = checkpoint_seconds
        self.context = multiprocessing.get_context("spawn")
        self.members = [self._spawn(number) for number in range(workers)]
        self.busy: dict[int, list[str]] = {}
        self.ready: set[int] = set()

    def start(self, worker: int, work: Job | Reading | Pack) -> None:
        """Sends the work to a worker."""
        self.busy[worker] = [job.id for job in work.jobs] if isinstance(work, Pack) else [work.id]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `wait` sees that it died
            self.members[worker][1].send(work)

    def wait(self, seconds: float) -> list[Message]:
        """What workers said, and who died.

        Raises PrunescopeError when a worker died before it was ready: the next one would, too.
        """
        said: list[Message] = []
        ready = wait([pipe for _, pipe in self.members], timeout=seconds)
        for number, (process, pipe) in enumerate(self.members):
            if pipe not in ready:
                continue
            try:
                while pipe.poll():
                    said.append(pipe.recv())
                    self.ready.add(number)
            except (EOFError, ConnectionResetError):
                process.join(STOP_SECONDS)  # only then its lease counts as left behind
                if number not in self.ready:
                    raise PrunescopeError(UNABLE) from None
                said.append(Message(number, "", "died"))
                self.ready.discard(number)
                self.members[number] = self._spawn(number)
        return [noted for message in said for noted in self._noted(message)]

    def _noted(self, message: Message) -> list[Message]:
        """Keeps account of who works, and names the work where a worker did not, or could not any more."""
        if message.kind == "ready":
            return []
        if message.kind == "beat":
            return [message]
        left = self.busy.get(message.worker, [])
        if not message.idle:
            self.busy[message.worker] = [node for node in left if node != message.node]
            return [message]
        self.busy.pop(message.worker, None)
        if message.node or message.kind == "free" or not left:
            return [message]
        return [replace(message, node=node, idle=node == left[-1]) for node in left]

    def stop(self) -> None:
        """Tells all workers to checkpoint and end; kills those that do not."""
        for process, _ in self.members:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process, pipe in self.members:
            process.join(max(0.1, end - time.monotonic()))
            if process.is_alive():
                process.kill()
            pipe.close()

    def _spawn(self, number: int) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(
            target=_work,
            args=(theirs, number, str(self.store), self.device, self.checkpoint_seconds, self.setting),
            daemon=True,
            name=f"prunescope-{number}",
        )
        with _deaf(), _without_main():
            process.start()
        theirs.close()
        return process, ours


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile never hears Ctrl-C, not even while it imports; the parent decides for it."""
    resource_tracker.ensure_running()  # which would be started with the first worker, and let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """What is started meanwhile does not import the caller's script, so a script needs no guard around its work.

    Nothing of the script is needed: work that is defined in it is done in the calling process.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _work(
    pipe: Connection,
    number: int,
    store: str,
    device: str,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    setting: EngineSetting = LOOP,
) -> None:
    """The life of a worker: take work, do it, say so; end on SIGTERM after a checkpoint."""
    idle, stopping = False, False
    last: dict[str, float] = {}

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if idle:
            raise SystemExit(0)

    def beat(node: str, steps: int) -> bool:
        if time.monotonic() - last.get(node, 0.0) > BEAT_SECONDS:
            last[node] = time.monotonic()
            try:
                pipe.send(Message(number, node, "beat", steps=steps))
            except (BrokenPipeError, ConnectionResetError):
                return False  # the parent is gone
        return not stopping

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, stop)
    keep_memory()
    bench = Workbench(Store(store), device=device, checkpoint_seconds=checkpoint_seconds, setting=setting)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        pipe.send(Message(number, "", "ready"))
        while True:
            idle = True  # from here on SIGTERM ends the process by itself; one that came before is seen now
            if stopping:
                return
            content = pipe.recv_bytes()
            idle = False
            try:
                work: Job | Reading | Pack = pickle.loads(content)
            except Exception as problem:
                pipe.send(Message(number, "", "error", why=f"{UNKNOWN}: {problem!r}"))
                continue
            last.clear()
            if not do(bench, number, work, beat, pipe.send):
                return


def keep_memory() -> None:
    """Keeps freed memory in the process: fresh pages for every large tensor cost a quarter of a small step."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)
    except OSError:
        pass  # another C library: slower, never different
