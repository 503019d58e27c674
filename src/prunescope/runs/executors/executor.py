"""What an executor is: workers that take one piece of work at a time and report.

Belongs here: the interface and the messages. Does not belong here: which piece comes next (`execute.py`).
"""

import traceback
from dataclasses import dataclass
from typing import Literal, Protocol

from prunescope.base.errors import PrunescopeError
from prunescope.runs.graph import Reading
from prunescope.runs.memory import DoesNotFit, out_of_memory
from prunescope.runs.packing import Pack
from prunescope.runs.plan import Job


@dataclass(frozen=True)
class Message:
    """What a worker says of its piece of work.

    kind: "ready" (the worker has started), "beat" (steps done so far), "done", "failed" (stored as failed, with the
    reason), "error" (nothing was stored, with the reason), "busy" (another process holds the lease), "died" (the
    worker is gone), "free" (after a pack). error: what kind of problem it was. idle: whether the worker is free now;
    it is not while others of its pack are under way.
    """

    worker: int
    node: str
    kind: Literal["ready", "beat", "done", "failed", "error", "busy", "died", "free"]
    steps: int = 0
    why: str = ""
    error: type[PrunescopeError] = PrunescopeError
    idle: bool = True

    @classmethod
    def of_error(cls, worker: int, node: str, problem: Exception, *, idle: bool = True) -> "Message":
        """That nothing was stored; of a bug, or a user's own network that fails, all that is known."""
        if out_of_memory(problem):
            problem = DoesNotFit.because(problem)
        if isinstance(problem, PrunescopeError):
            return cls(worker, node, "error", why=str(problem), error=type(problem), idle=idle)
        why = f"{problem!r}\n{''.join(traceback.format_exception(problem))}"
        return cls(worker, node, "error", why=why, idle=idle)


class Executor(Protocol):
    """Workers, numbered from 0, that take one piece of work, or one pack of runs, at a time."""

    @property
    def workers(self) -> int:
        """How many there are."""

    def start(self, worker: int, work: Job | Reading | Pack) -> None:
        """Gives an idle worker a piece of work."""

    def wait(self, seconds: float) -> list[Message]:
        """What workers said since the last call; waits up to `seconds` for the first word."""

    def stop(self) -> None:
        """Asks all workers to checkpoint and end, and waits for them."""
