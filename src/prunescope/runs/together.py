"""Several runs in one program, each with its own lease, checkpoints and end.

Belongs here: from a pack of jobs to stored runs. Does not belong here: which runs make a pack (`packing.py`), how the
program is run (`training/engines/stack.py`).

A run that ends is stored, and its lease given back, while the others go on. Memory that does not suffice costs
nothing but time: states are those of the last boundary, and the program is split in two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.runs.engines import EngineSetting, engine_of
from prunescope.runs.executors.executor import Message
from prunescope.runs.lasting import LASTING, complete
from prunescope.runs.lease import Lease, take
from prunescope.runs.memory import DoesNotFit, out_of_memory
from prunescope.runs.packing import Pack
from prunescope.runs.placement import one_thread
from prunescope.runs.plan import Job
from prunescope.runs.saver import Saver
from prunescope.runs.workbench import Stopped, Workbench
from prunescope.training.aside import Aside
from prunescope.training.run import Member, train_together

Tell = Callable[[Message], None]


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

    Every run is spoken of in one message or, if the work was stopped, has a checkpoint if it had begun.
    """
    waiting = list(pack.jobs)
    with one_thread(), bench.aside() as aside:
        while waiting:
            places: list[Place] = []
            try:
                _enter(bench, number, waiting, pack, places, beat, tell, aside)
                _train(bench, number, places, tell)
            except (KeyboardInterrupt, Stopped) as problem:
                for place in _under_way(places):
                    place.saver.save()
                for place in _under_way(places):
                    place.saver.settle()
                if isinstance(problem, Stopped):
                    return False
                raise
            except Exception as problem:  # a bug, or the user's own network: say all that is known
                for place in _under_way(places):
                    _end(place, tell, Message.of_error(number, place.job.id, problem, idle=False))
            finally:
                for place in _under_way(places):
                    place.lease.release()
    return True


def _enter(
    bench: Workbench,
    number: int,
    waiting: list[Job],
    pack: Pack,
    places: list[Place],
    beat: Callable[[str, int], bool],
    tell: Tell,
    aside: Aside | None,
) -> None:
    """Gives the waiting runs their places, as many as memory admits; who has one, or never will, waits no more."""
    while waiting:
        try:
            place = _entered(bench, number, waiting[0], pack, beat, tell, aside)
        except Exception as problem:
            if not out_of_memory(problem):
                raise
            if places:
                return  # these train first, and leave their room to the others
            place = None
            tell(Message.of_error(number, waiting[0].id, problem, idle=False))
        places += [place] if place else []
        waiting.pop(0)


def _entered(
    bench: Workbench,
    number: int,
    job: Job,
    pack: Pack,
    beat: Callable[[str, int], bool],
    tell: Tell,
    aside: Aside | None,
) -> Place | None:
    """A run's place in the pack; None, and told why, if it has none. Raises what says that memory does not suffice."""
    lease = take(bench.store, job.id)
    if lease is None:
        tell(Message(number, job.id, "busy", idle=False))
        return None
    place = None
    try:
        stored = bench.store.known_runs([job.id]).get(job.id)  # it may have been stored since it was planned
        if stored is not None and stored["status"] == "failed":
            tell(Message(number, job.id, "failed", why=stored["why"], idle=False))
        elif stored is not None and complete(job, stored["states"], stored["traces"]):
            tell(Message(number, job.id, "done", idle=False))
        else:
            member, saver = bench.member(
                job.recipe,
                job.moments,
                job.probes,
                lambda steps: beat(job.id, steps),
                stack=pack.size,
                way=pack.way,
                aside=aside,
            )
            place = Place(job, lease, member, saver, stored is not None)
    except Exception as problem:
        if out_of_memory(problem):
            raise
        tell(Message.of_error(number, job.id, problem, idle=False))
    finally:
        if place is None:
            lease.release()
    return place


def _train(bench: Workbench, number: int, places: list[Place], tell: Tell) -> None:
    """Trains all places, those of one setting together, in parts that fit into memory.

    A run that does not fit by itself ends there, with a checkpoint; the others go on.
    """
    by_setting: dict[EngineSetting, list[Place]] = {}
    for place in places:
        by_setting.setdefault(place.saver.setting, []).append(place)
    parts = list(by_setting.items())
    while parts:
        setting, part = parts.pop(0)
        if (short := _short_of_memory(bench, number, part, setting, tell)) is None:
            continue
        torch.cuda.empty_cache()  # now that the failure, which holds the tensors of its frames, is gone
        left = _under_way(part)
        if len(left) < 2:
            for place in left:
                place.saver.save_now()
                _end(
                    place,
                    tell,
                    Message(number, place.job.id, "error", why=str(short), error=DoesNotFit, idle=False),
                )
            continue
        half = len(left) // 2
        smaller = setting.replace(stack=half)
        for place in left:
            place.saver.setting = smaller
        parts[:0] = [(smaller, left[:half]), (smaller, left[half:])]


def _short_of_memory(
    bench: Workbench, number: int, part: list[Place], setting: EngineSetting, tell: Tell
) -> DoesNotFit | None:
    """Trains a part; what to say of a run by itself if memory did not suffice."""
    try:
        _train_part(bench, number, part, setting, tell)
    except Exception as problem:
        if not out_of_memory(problem):
            raise
        return DoesNotFit.because(problem)
    return None


def _train_part(bench: Workbench, number: int, part: list[Place], setting: EngineSetting, tell: Tell) -> None:
    by_member = {id(place.member): place for place in part}

    def after(members: Sequence[Member]) -> bool:
        going = _under_way(part)
        for place in going:
            place.saver.share(len(going))
        for place in _under_way(part):
            if place.member.ended:
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
            said = Message.of_error(number, job.id, problem, idle=False)
    except PrunescopeError as other:  # the store, say
        said = Message.of_error(number, job.id, other, idle=False)
    _end(place, tell, said)


def _end(place: Place, tell: Tell, said: Message) -> None:
    place.settled = True
    place.lease.release()
    tell(said)


def _under_way(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if not place.settled]
