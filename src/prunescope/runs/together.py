"""Several runs in one program, each with its own lease, checkpoints and end.

Belongs here: from a pack of jobs to stored runs. Does not belong here: which runs make a pack (`packing.py`), how the
program is run (`training/engines/stack.py`).

A run that ends is stored, and its lease given back, while the others go on. Memory that does not suffice costs
nothing but time: states are those of the last boundary, and the program is split in two.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.runs.engines import EngineSetting, engine_of
from prunescope.runs.executors.executor import Message
from prunescope.runs.lasting import LASTING, complete
from prunescope.runs.lease import Lease, take
from prunescope.runs.packing import Pack
from prunescope.runs.placement import one_thread
from prunescope.runs.plan import Job
from prunescope.runs.saver import Saver
from prunescope.runs.workbench import Stopped, Workbench
from prunescope.training.run import Member, train_together

Tell = Callable[[Message], None]


class DoesNotFit(PrunescopeError):
    """A run by itself needs more memory than there is."""


@dataclass
class Place:
    """One run of a pack: its lease, what stores it, and whether it has ended."""

    job: Job
    lease: Lease
    member: Member
    saver: Saver
    stored: bool
    settled: bool = False


def train_pack(
    bench: Workbench, number: int, pack: Pack, beat: Callable[[str, int], bool], tell: Tell
) -> bool:
    """Makes the runs of a pack and tells of each as it ends; False if `beat` (told run and steps) said to stop.

    Every run is spoken of in one message or, if the work was stopped, has a checkpoint.
    """
    places: list[Place] = []
    try:
        with one_thread():
            for job in pack.jobs:
                if (place := _entered(bench, number, job, pack, beat, tell)) is not None:
                    places.append(place)
            try:
                _train(bench, number, places, tell)
            except (KeyboardInterrupt, Stopped) as problem:
                for place in _under_way(places):
                    place.saver.save()
                if isinstance(problem, Stopped):
                    return False
                raise
            except Exception as problem:  # a bug, or the user's own network: say all that is known
                for place in _under_way(places):
                    _end(place, tell, _error(number, place.job, problem))
    finally:
        for place in _under_way(places):
            place.lease.release()
    return True


def _entered(
    bench: Workbench,
    number: int,
    job: Job,
    pack: Pack,
    beat: Callable[[str, int], bool],
    tell: Tell,
) -> Place | None:
    """A run's place in the pack; None, and told why, if it has none."""
    lease = take(bench.store, job.id)
    if lease is None:
        tell(Message(number, job.id, "busy", idle=False))
        return None
    try:
        stored = bench.store.known_runs([job.id]).get(job.id)  # it may have been stored since it was planned
        if stored is None or (
            stored["status"] != "failed" and not complete(job, stored["states"], stored["traces"])
        ):
            member, saver = bench.member(
                job.recipe, job.moments, job.probes, lambda steps: beat(job.id, steps), stack=pack.size
            )
            return Place(job, lease, member, saver, stored is not None)
        failed = stored["status"] == "failed"
        said = Message(
            number, job.id, "failed" if failed else "done", why=stored["why"] if failed else "", idle=False
        )
    except Exception as problem:
        said = _error(number, job, problem)
    lease.release()
    tell(said)
    return None


def _train(bench: Workbench, number: int, places: list[Place], tell: Tell) -> None:
    """Trains all places, those of one setting together, in parts that fit into memory."""
    by_setting: dict[EngineSetting, list[Place]] = {}
    for place in places:
        by_setting.setdefault(place.saver.setting, []).append(place)
    parts = list(by_setting.items())
    while parts:
        setting, part = parts.pop(0)
        try:
            _train_part(bench, number, part, setting, tell)
        except Exception as problem:
            if not out_of_memory(problem):
                raise
            torch.cuda.empty_cache()
            left = _under_way(part)
            if len(left) < 2:
                raise DoesNotFit(
                    f"training runs out of memory even by itself ({problem}); use a smaller batch or network, fewer "
                    "workers, or a device with more memory"
                ) from problem
            half = max(1, len(left) // 2)
            smaller = setting.replace(stack=half)
            for place in left:
                place.saver.setting = smaller
            parts[:0] = [(smaller, left[:half]), (smaller, left[half:])]


def _train_part(bench: Workbench, number: int, part: list[Place], setting: EngineSetting, tell: Tell) -> None:
    by_member = {id(place.member): place for place in part}

    def after(members: Sequence[Member]) -> bool:
        going = _under_way(part)
        for place in going:
            place.saver.share(len(going))
        for place in _under_way(part):
            if place.member.over:
                _settle(bench, number, place, tell)
        moved = [by_member[id(member)] for member in members]
        said = [place.saver(place.member.progress) for place in moved if not place.settled]
        return all(said)  # of every one, so that each has its checkpoint

    train_together([place.member for place in part], engine_of(setting), after)
    if any(place.saver.stopped for place in part):
        raise Stopped(f"{len(part)} runs")
    for place in _under_way(part):
        _settle(bench, number, place, tell)


def _settle(bench: Workbench, number: int, place: Place, tell: Tell) -> None:
    """Stores a run that is over, and says so."""
    job, problem = place.job, place.member.failure
    try:
        if problem is None:
            bench.finish(job.recipe, place.member, place.saver)
            said = Message(number, job.id, "done", idle=False)
        elif isinstance(problem, LASTING) and not place.stored:
            bench.fail(job.recipe, problem)
            said = Message(number, job.id, "failed", why=str(problem), idle=False)
        else:
            said = _error(number, job, problem)
    except PrunescopeError as other:  # the store, say
        said = _error(number, job, other)
    _end(place, tell, said)


def _end(place: Place, tell: Tell, said: Message) -> None:
    place.settled = True
    place.lease.release()
    tell(said)


def _under_way(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if not place.settled]


def _error(number: int, job: Job, problem: Exception) -> Message:
    if isinstance(problem, PrunescopeError):
        return Message(number, job.id, "error", why=str(problem), error=type(problem), idle=False)
    why = f"{problem!r}\n{''.join(traceback.format_exception(problem))}"
    return Message(number, job.id, "error", why=why, idle=False)


def out_of_memory(problem: BaseException) -> bool:
    """Whether memory did not suffice: torch says so by a class on a GPU and by a text on a CPU."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(problem, RuntimeError) and "can't allocate memory" in str(problem)
