"""Runs in one program, several or one, each with its own lease, checkpoints and end.

Belongs here: from a pack of jobs to stored runs. Does not belong here: which runs make a pack (`machine/packing.py`),
how the program is run (`training/engines/stack.py`).

A run that ends is stored, and its lease released, while the others go on. Where memory does not suffice only time is
lost: the states are those of the last boundary, and the program is split in two. A run that does not fit at the start
waits until another one leaves the program.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.runs.execution.checkpointer import Checkpointer
from prunescope.runs.execution.messages import Message
from prunescope.runs.execution.queue import label
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.machine.devices import one_thread
from prunescope.runs.machine.engines import EngineSetting, engine_of
from prunescope.runs.machine.memory import DoesNotFit, out_of_memory
from prunescope.runs.machine.packing import Pack
from prunescope.runs.store.lease import Lease, acquire, holder
from prunescope.runs.store.plan import Job
from prunescope.training.run import Member, train_together


@dataclass
class PackedRun:
    """One run of a pack.

    member: where it is.
    checkpointer: stores its checkpoints.
    ended: whether its message was sent, and its lease released.
    """

    job: Job
    lease: Lease
    member: Member
    checkpointer: Checkpointer
    ended: bool = False


def train_pack(bench: Workbench, pack: Pack, beat: Callable[[str, int], bool], tell: Callable[[Message], None]) -> bool:
    """Makes the runs of a pack; False if it was stopped.

    Every run that ends has one message. If the work was stopped, the runs under way have a checkpoint.

    beat: gets a run's id and its steps done so far; False stops the work.
    """
    with one_thread():
        return _PackTraining(bench, pack, beat, tell).run()


class _PackTraining:
    """The training of one pack in one process."""

    def __init__(
        self,
        bench: Workbench,
        pack: Pack,
        beat: Callable[[str, int], bool],
        tell: Callable[[Message], None],
    ) -> None:
        self.bench, self.beat, self.tell = bench, beat, tell
        self.setting = bench.setting.replace(stack=pack.size, way=pack.way)
        self.waiting = list(pack.jobs)
        self.runs: list[PackedRun] = []

    def run(self) -> bool:
        while self.waiting:
            self.runs = []
            try:
                self._enter()
                self._train()
            except (KeyboardInterrupt, Stopped) as problem:
                for run in _under_way(self.runs):
                    run.checkpointer.save()
                if isinstance(problem, Stopped):
                    return False
                raise
            except Exception as problem:  # a bug, or a user's network that fails
                for run in _under_way(self.runs):
                    self._end(run, Message.of_error(run.job.id, problem, self.bench.store))
            finally:
                for run in _under_way(self.runs):
                    run.lease.release()
        return True

    def _enter(self) -> None:
        """Makes waiting runs ready to train, as many as memory admits; the others wait until these have ended."""
        while self.waiting:
            job = self.waiting[0]
            try:
                self._enter_one(job)
            except Exception as problem:
                if out_of_memory(problem) and self.runs:
                    return
                self.tell(Message.of_error(job.id, problem, self.bench.store))
            self.waiting.pop(0)

    def _enter_one(self, job: Job) -> None:
        lease = acquire(self.bench.store, job.id, label(job))
        if lease is None:
            self.tell(Message(job.id, "busy", why=holder(self.bench.store, job.id)))
            return
        with ExitStack() as cleanup:
            cleanup.callback(lease.release)
            if (message := self.bench.stored_since(job)) is not None:
                self.tell(message)
                return
            member, checkpointer = self.bench.member(job, lambda steps: self.beat(job.id, steps), setting=self.setting)
            self.runs.append(PackedRun(job, lease, member, checkpointer))
            cleanup.pop_all()  # the run keeps its lease

    def _train(self) -> None:
        """Trains all runs, those of one setting together, in parts that fit into memory.

        A run that does not fit by itself ends here, with a checkpoint; the others go on.
        """
        by_setting: dict[EngineSetting, list[PackedRun]] = {}
        for run in self.runs:
            by_setting.setdefault(run.checkpointer.setting, []).append(run)
        parts = list(by_setting.items())
        while parts:
            setting, part = parts.pop(0)
            if (shortage := self._shortage(part, setting)) is None:
                continue
            torch.cuda.empty_cache()  # now that the failure, which holds the tensors of its frames, is gone
            rest = _under_way(part)
            if len(rest) < 2:
                for run in rest:
                    run.checkpointer.save()
                    self._end(run, Message.of_error(run.job.id, shortage, self.bench.store))
                continue
            half = len(rest) // 2
            smaller = setting.replace(stack=half)
            for run in rest:
                run.checkpointer.setting = smaller
            parts[:0] = [(smaller, rest[:half]), (smaller, rest[half:])]

    def _shortage(self, part: list[PackedRun], setting: EngineSetting) -> DoesNotFit | None:
        """Trains a part; the error of a run by itself if memory did not suffice."""
        try:
            self._train_part(part, setting)
        except Exception as problem:
            if not out_of_memory(problem):
                raise
            return DoesNotFit.because(problem)
        return None

    def _train_part(self, part: list[PackedRun], setting: EngineSetting) -> None:
        run_of = {id(run.member): run for run in part}

        def after(members: Sequence[Member]) -> bool:
            going = _under_way(part)
            for run in going:
                run.checkpointer.share(len(going))
            for run in going:
                if run.member.ended:
                    self._store(run)
            moved = [run_of[id(member)] for member in members]
            # Every run is asked before the answers count, so that each has its checkpoint.
            answers = [run.checkpointer(run.member.progress) for run in moved if not run.ended]
            return all(answers)

        train_together([run.member for run in part], engine_of(setting), after)
        if any(run.checkpointer.stopped for run in part):
            raise Stopped(f"{len(part)} runs")
        for run in _under_way(part):
            self._store(run)

    def _store(self, run: PackedRun) -> None:
        """Stores a run that is over, and says so."""
        try:
            if run.member.failure is None:
                self.bench.finish(run.job.recipe, run.member, run.checkpointer)
                message = Message(run.job.id, "done")
            else:
                message = self.bench.record_failure(run.job, run.member.failure)
        except PrunescopeError as problem:  # the store, say
            message = Message.of_error(run.job.id, problem, self.bench.store)
        self._end(run, message)

    def _end(self, run: PackedRun, message: Message) -> None:
        run.ended = True
        run.lease.release()
        self.tell(message)


def _under_way(runs: Sequence[PackedRun]) -> list[PackedRun]:
    return [run for run in runs if not run.ended]
