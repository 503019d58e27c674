"""Work in this process, one piece at a time.

Belongs here: the executor for notebooks, local classes and debugging. Does not belong here: parallelism.
"""

import time
from collections.abc import Callable

from prunescope.runs.executors.executor import Message
from prunescope.runs.executors.worker import do
from prunescope.runs.graph import Reading
from prunescope.runs.packing import Pack
from prunescope.runs.plan import Job
from prunescope.runs.workbench import Workbench


class Inline:
    """One worker: the calling process. `start` returns when the work is done."""

    workers = 1

    def __init__(self, bench: Workbench, beat: Callable[[Message], None] = lambda message: None) -> None:
        """beat: told of progress while `start` works."""
        self.bench, self.beat = bench, beat
        self.messages: list[Message] = []

    def start(self, worker: int, work: Job | Reading | Pack) -> None:
        """Does the work now."""

        def beat(node: str, steps: int) -> bool:
            self.beat(Message(worker, node, "beat", steps=steps))
            return True

        done = do(self.bench, worker, work, beat, self.messages.append)
        assert done, "nobody said to stop"

    def wait(self, seconds: float) -> list[Message]:
        """What was said; waits, as others may be busy, only if nothing was."""
        if not self.messages:
            time.sleep(seconds)
        said, self.messages = self.messages, []
        return said

    def stop(self) -> None:
        """Nothing runs between calls."""
