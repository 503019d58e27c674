"""One piece of work, done under a lease: what all executors do with a job, a pack of jobs, or a reading.

Beside it the executor that does it in this process, for notebooks, local classes and debugging.
"""

import time
from collections.abc import Callable

from prunescope.runs.execution.messages import Message, Work
from prunescope.runs.execution.packed_runs import train_pack
from prunescope.runs.execution.queue import label
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.graph.nodes import Measured
from prunescope.runs.machine.devices import seconds_worked
from prunescope.runs.machine.packing import Pack
from prunescope.runs.store.lease import acquire, holder


def do(bench: Workbench, work: Work, beat: Callable[[str, int], bool], tell: Callable[[Message], None]) -> bool:
    """Does a piece of work and tells how it ended; False if it was stopped.

    beat: gets an id and the steps done so far; False stops the work.
    """
    if isinstance(work, Measured):
        message = _read(bench, work, lambda milliseconds: beat(work.id, milliseconds))
        if message is None:
            return False
        tell(message)
    elif not train_pack(bench, work if isinstance(work, Pack) else Pack((work,), size=1), beat, tell):
        return False
    tell(Message("", "free"))
    return True


def _read(bench: Workbench, reading: Measured, beat: Callable[[int], bool]) -> Message | None:
    """How the reading ended; None if it was stopped."""
    try:
        lease = acquire(bench.store, reading.id, label(reading))
        if lease is None:
            return Message(reading.id, "busy", why=holder(bench.store, reading.id))
        began = seconds_worked(bench.device)
        try:
            if not bench.store.has_reading(reading.id):  # another process may have taken it since it was planned
                bench.read(reading, beat=beat)
        finally:
            lease.release()
        return Message(reading.id, "done", steps=int(1000 * (seconds_worked(bench.device) - began)))
    except Stopped:
        return None
    except Exception as problem:
        return Message.of_error(reading.id, problem, bench.store)


class Inline:
    """One worker: the calling process. `start` returns when the work is done."""

    workers = 1

    def __init__(self, bench: Workbench, report: Callable[[Message], None] = lambda message: None) -> None:
        """report: gets every beat while `start` works."""
        self.bench, self.report = bench, report
        self.messages: list[Message] = []

    def start(self, worker: int, work: Work) -> None:
        """Does the work now."""

        def beat(node: str, steps: int) -> bool:
            self.report(Message(node, "beat", steps=steps))
            return True

        finished = do(self.bench, work, beat, self.messages.append)
        assert finished, "`beat` never stops the work"

    def wait(self, seconds: float) -> list[Message]:
        """The messages since the last call; sleeps if it has none, as another process may hold the work."""
        if not self.messages:
            time.sleep(seconds)
        messages, self.messages = self.messages, []
        return messages

    def stop(self) -> bool:
        """Nothing runs between calls."""
        return True
