"""One piece of work, done under a lease.

Belongs here: what both executors do with a job, a pack of them, or a reading. Does not belong here: processes and
queues.
"""

from collections.abc import Callable

from prunescope.runs.executors.executor import Message
from prunescope.runs.graph import Reading
from prunescope.runs.lasting import LASTING, complete
from prunescope.runs.lease import take
from prunescope.runs.packing import Pack
from prunescope.runs.plan import Job
from prunescope.runs.together import train_pack
from prunescope.runs.workbench import Stopped, Workbench


def do(
    bench: Workbench,
    number: int,
    work: Job | Reading | Pack,
    beat: Callable[[str, int], bool],
    tell: Callable[[Message], None],
) -> bool:
    """Does a piece of work and tells how it ended; False if `beat` (told id and steps done) said False to go on."""
    if isinstance(work, Pack):
        went_on = train_pack(bench, number, work, beat, tell)
        tell(Message(number, "", "free"))
        return went_on
    said = _one(bench, number, work, lambda steps: beat(work.id, steps))
    if said is not None:
        tell(said)
    return said is not None


def _one(bench: Workbench, number: int, work: Job | Reading, beat: Callable[[int], bool]) -> Message | None:
    try:
        lease = take(bench.store, work.id)
        if lease is None:
            return Message(number, work.id, "busy")
        try:
            return (
                _read(bench, number, work) if isinstance(work, Reading) else _run(bench, number, work, beat)
            )
        finally:
            lease.release()
    except Stopped:
        return None
    except Exception as problem:
        return Message.of_error(number, work.id, problem)


def _read(bench: Workbench, number: int, reading: Reading) -> Message:
    if not bench.store.has_reading(reading.id):  # another process may have taken it since it was planned
        bench.read(reading)
    return Message(number, reading.id, "done")


def _run(bench: Workbench, number: int, job: Job, beat: Callable[[int], bool]) -> Message:
    stored = bench.store.known_runs([job.id]).get(job.id)  # it may have been stored since it was planned
    if stored is not None and stored["status"] == "failed":
        return Message(number, job.id, "failed", why=stored["why"])
    if stored is None or not complete(job, stored["states"], stored["traces"]):
        try:
            bench.train(job.recipe, moments=job.moments, probes=job.probes, beat=beat)
        except LASTING as problem:
            if stored is not None:
                raise
            bench.fail(job.recipe, problem)
            return Message(number, job.id, "failed", why=str(problem))
    return Message(number, job.id, "done")
