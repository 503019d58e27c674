"""Work in this process, one piece at a time: for notebooks, local classes and debugging."""

import time
from collections.abc import Callable

from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.messages import Message, Work
from prunescope.runs.execution.workbench import Workbench


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

    def stop(self) -> None:
        """Nothing runs between calls."""
