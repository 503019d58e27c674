"""One piece of work, done under a lease.

Belongs here: what both executors do with a job or a reading. Does not belong here: processes and queues.
"""

import traceback
from collections.abc import Callable, Iterator

from prunescope.base.errors import Diverged, LayerCollapse, PrunescopeError, Unreachable, UsageError
from prunescope.runs.executors.executor import Message
from prunescope.runs.graph import Reading
from prunescope.runs.lease import take
from prunescope.runs.plan import Job
from prunescope.runs.workbench import Stopped, Workbench

LASTING = (Diverged, LayerCollapse, Unreachable)
"""Failures that the same recipe would meet again: they are stored as results."""


def do(bench: Workbench, number: int, work: Job | Reading, beat: Callable[[int], bool]) -> Iterator[Message]:
    """Does a piece of work and says how it ended. beat: told the steps done; False stops the work."""
    lease = take(bench.store, work.id)
    if lease is None:
        yield Message(number, work.id, "busy")
        return

    def alive(steps: int) -> bool:
        lease.beat()
        return beat(steps)

    try:
        if isinstance(work, Reading):
            if not bench.store.has_reading(work.id):
                bench.read(work)
        elif not _complete(bench, work):
            bench.train(work.recipe, moments=work.moments, probes=work.probes, beat=alive)
        yield Message(number, work.id, "done")
    except Stopped:
        return
    except LASTING as problem:
        assert isinstance(work, Job)
        bench.fail(work.recipe, problem)
        yield Message(number, work.id, "failed", why=str(problem))
    except PrunescopeError as problem:
        yield Message(number, work.id, "error", why=str(problem), usage=isinstance(problem, UsageError))
    except Exception as problem:  # a bug, or the user's own network: say all that is known
        yield Message(number, work.id, "error", why=f"{problem!r}\n{traceback.format_exc()}")
    finally:
        lease.release()


def _complete(bench: Workbench, job: Job) -> bool:
    """Whether another process stored everything in the meantime."""
    stored = bench.store.known_runs([job.id]).get(job.id)
    if stored is None or stored["status"] != "done":
        return False
    return all(m.id in stored["states"] for m in job.moments) and all(
        p.id in stored["traces"] for p in job.probes
    )
