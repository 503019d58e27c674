"""What workers and the queue say to each other, and the interface of what gives work to workers."""

import traceback
from dataclasses import dataclass
from typing import Literal, Protocol

from prunescope.base.blame import explain, place_of
from prunescope.base.errors import PrunescopeError, UserCodeError
from prunescope.runs.graph.nodes import Measured
from prunescope.runs.machine.memory import DoesNotFit, out_of_memory
from prunescope.runs.machine.packing import Pack
from prunescope.runs.store.plan import Job
from prunescope.runs.store.store import Store

Work = Job | Measured | Pack


def ids_of(work: Work) -> list[str]:
    """The ids of the runs or of the reading that a piece of work makes."""
    return [job.id for job in work.jobs] if isinstance(work, Pack) else [work.id]


@dataclass(frozen=True)
class Message:
    """What a worker says of one run or reading, or of itself.

    node: the id; empty where the worker speaks of itself, died, or could not read what it was given.
    kind: how the work is going, or ended:
        "beat": it is under way.
        "done": it is stored.
        "failed": it is stored as failed, with the reason.
        "error": nothing was stored, with the reason.
        "busy": another process holds its lease.
        "died": its worker is gone.
        "ready", "free": the worker has started, takes the next work.
    steps: of a beat, the steps done so far; of a reading, the milliseconds that it has taken.
    why: the reason, for people.
    error: of an error, its class.
    worker: the number of the worker, which the executor writes.
    """

    node: str
    kind: Literal["ready", "beat", "done", "failed", "error", "busy", "died", "free"]
    steps: int = 0
    why: str = ""
    error: type[PrunescopeError] = PrunescopeError
    worker: int = 0

    @classmethod
    def of_error(cls, node: str, problem: Exception, store: Store) -> "Message":
        """Nothing was stored; of an error that prunescope does not understand the whole traceback is in a log file."""
        if out_of_memory(problem):
            problem = DoesNotFit.because(problem)
        if isinstance(problem, PrunescopeError):
            return cls(node, "error", why=str(problem), error=type(problem))
        error = UserCodeError if place_of(problem) else PrunescopeError
        log = store.log(node, "".join(traceback.format_exception(problem)))
        return cls(node, "error", why=f"{explain(problem)}; the traceback is in {log}", error=error)


class Executor(Protocol):
    """Workers, numbered from 0, that take one piece of work, or one pack of runs, at a time."""

    @property
    def workers(self) -> int:
        """How many there are."""

    def start(self, worker: int, work: Work) -> None:
        """Gives work to a worker that is free."""

    def wait(self, seconds: float) -> list[Message]:
        """What workers said since the last call; waits up to `seconds` for the first message."""

    def stop(self) -> bool:
        """Asks all workers to store a checkpoint and end, and waits for them; False if one is known not to have."""
