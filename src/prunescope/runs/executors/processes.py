"""Work in spawned processes, one torch thread each.

Belongs here: starting, feeding, watching and ending them. Does not belong here: which work they get.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

from prunescope.runs.executors.executor import Message
from prunescope.runs.executors.worker import do
from prunescope.runs.graph import Reading
from prunescope.runs.plan import Job
from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench

STOP_SECONDS = 30.0


class Processes:
    """Spawned workers; one that dies is replaced, and its work reported as "died"."""

    def __init__(self, store: Path, *, workers: int, device: str = "cpu") -> None:
        """Starts the processes."""
        self.workers, self.store, self.device = workers, store, device
        self.context = multiprocessing.get_context("spawn")
        self.members = [self._spawn(number) for number in range(workers)]
        self.busy: dict[int, str] = {}

    def start(self, worker: int, work: Job | Reading) -> None:
        """Sends the work to a worker."""
        self.busy[worker] = work.id
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `wait` sees that it died
            self.members[worker][1].send(work)

    def wait(self, seconds: float) -> list[Message]:
        """What workers said, and who died."""
        said: list[Message] = []
        ready = wait([pipe for _, pipe in self.members], timeout=seconds)
        for number, (_, pipe) in enumerate(self.members):
            if pipe not in ready:
                continue
            try:
                while pipe.poll():
                    said.append(pipe.recv())
            except (EOFError, ConnectionResetError):
                said.append(Message(number, self.busy.get(number, ""), "died"))
                self.members[number] = self._spawn(number)
        for message in said:
            if message.kind != "beat":
                self.busy.pop(message.worker, None)
        return said

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
            args=(theirs, number, str(self.store), self.device),
            daemon=True,
            name=f"prunescope-{number}",
        )
        process.start()
        theirs.close()
        return process, ours


def _work(pipe: Connection, number: int, store: str, device: str) -> None:
    """The life of a worker: take work, do it, say so; end on SIGTERM after a checkpoint."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if idle:
            raise SystemExit(0)

    idle = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, stop)
    keep_memory()
    bench = Workbench(Store(store), device=device)
    last = 0.0

    def beat(steps: int) -> bool:
        nonlocal last
        if time.monotonic() - last > 0.3:
            last = time.monotonic()
            pipe.send(Message(number, work.id, "beat", steps=steps))
        return not stopping

    while not stopping:
        idle = True
        try:
            work: Job | Reading = pipe.recv()
        except (EOFError, OSError):
            return
        idle = False
        try:
            for message in do(bench, number, work, beat):
                pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return  # the parent is gone; what was reached is stored


def keep_memory() -> None:
    """Keeps freed memory in the process: fresh pages for every large tensor cost a quarter of a small step."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)
    except OSError:
        pass  # another C library: slower, never different
