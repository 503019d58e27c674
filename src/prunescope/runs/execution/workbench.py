"""Where one process makes runs and readings.

Belongs here: from a node to its stored result. Does not belong here: the steps of runs (`packed_runs.py`), loading
(`machine/loader.py`), the order of work (`queue.py`), how many processes there are (`executors/`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import FINAL, Moment, StateRef
from prunescope.measures.measure import State, plain
from prunescope.runs.execution.checkpointer import Checkpointer, load_checkpoint
from prunescope.runs.execution.manifest import base_manifest, execution, outcome
from prunescope.runs.execution.messages import Message
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Measured, describe
from prunescope.runs.graph.recipe import Recipe, level_of
from prunescope.runs.machine.devices import one_thread, progress_on
from prunescope.runs.machine.engines import LOOP, EngineSetting
from prunescope.runs.machine.loader import Loader, with_kernels
from prunescope.runs.store.plan import Job
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.training.progress import Progress
from prunescope.training.run import Member

CHECKPOINT_SECONDS = 15.0
READING_BEAT = 0.3
"""Seconds between two signs of life of a reading."""


class Stopped(Exception):
    """The work was interrupted; a checkpoint is stored."""


class Workbench(Loader):
    """A loader that also trains runs, takes readings, and stores both. One per process, one torch thread."""

    def __init__(
        self,
        store: Store,
        *,
        device: str = "cpu",
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        setting: EngineSetting = LOOP,
    ) -> None:
        """Loads nothing yet; makes a GPU the current one.

        checkpoint_seconds: how much work of a run a kill may lose.
        setting: how new runs are trained.
        """
        super().__init__(store, device=device, setting=setting)
        self.checkpoint_seconds = checkpoint_seconds

    # -- runs

    def member(self, job: Job, beat: Callable[[int], bool], *, setting: EngineSetting) -> tuple[Member, Checkpointer]:
        """A run that is ready to train, and what stores its checkpoints. A stored checkpoint is where it goes on.

        beat: gets the steps done so far; False stops the run after a checkpoint.
        setting: how it is trained if it is new; a checkpoint keeps the setting it was made with.
        """
        recipe = job.recipe
        program = self.program(recipe)
        checkpointer = Checkpointer(
            self.store,
            recipe.id,
            frozenset(part.id for part in (*job.moments, *job.probes)),
            self.checkpoint_seconds,
            beat,
            setting=self._setting(recipe, setting),
        )
        progress = self._resume(checkpointer) or self.start(recipe, program)
        program = with_kernels(program, checkpointer.setting.kernels)
        progress = progress_on(progress, self.device)
        return Member(program, progress, probes=job.probes, keep=job.moments), checkpointer

    def _setting(self, recipe: Recipe, new: EngineSetting) -> EngineSetting:
        """How a run is trained: a stored one of which a part is missing as it was then, others as `new`."""
        stored = self.store.manifest(recipe.id)
        if stored is None or stored["status"] != "done":
            return new
        before = EngineSetting.of(stored["exec"]).on(self.device)
        return before if before.available(self.device) else self.setting

    def _resume(self, checkpointer: Checkpointer) -> Progress | None:
        """The progress of the stored checkpoint, if it has looked for all that is asked for now."""
        checkpoint = load_checkpoint(self.store, checkpointer.run)
        if checkpoint is None or not checkpointer.watched <= checkpoint.watched:
            return None
        checkpointer.spent = checkpoint.seconds
        # A run that began on a CPU may go on on a GPU: its manifest then names the kernels that are used there.
        setting = checkpoint.setting.on(self.device)
        if setting.available(self.device):
            checkpointer.setting = setting
        return checkpoint.progress

    def finish(self, recipe: Recipe, member: Member, checkpointer: Checkpointer) -> None:
        """Stores a run that has ended. Raises UsageError for a moment that it did not reach."""
        # A probe that had nothing to see has an empty trace, or it would be looked for again and again.
        traces = {probe.id: member.progress.traces.get(probe.id, []) for probe in member.timeline.probes}
        progress = member.progress.replace(traces=traces)
        states = {FINAL.id: progress.state.weights, **progress.kept}
        manifest = self.store.manifest(recipe.id)
        if manifest is not None and manifest["status"] == "done":
            self.store.add_parts(recipe.id, states, traces)
        else:
            self.states.get(recipe.id + FINAL.id, lambda: progress.state.weights)
            manifest = base_manifest(recipe, "done", StoredResults(self.store))
            manifest |= outcome(member.program, progress)
            manifest["exec"] = execution(self.device, checkpointer, progress)
            self.store.add_run(recipe.id, manifest, states, traces)
        _check_kept(progress, (moment for moment, _ in member.timeline.keep))

    def stored_since(self, job: Job) -> Message | None:
        """How the run ended, if another process has stored it since it was planned; None if there is work to do."""
        stored = self.store.known_runs([job.id]).get(job.id)
        if stored is not None and stored["status"] == "failed":
            return Message(job.id, "failed", why=stored["why"])
        if stored is not None and job.lacking(stored) is None:
            return Message(job.id, "done")
        return None

    def record_failure(self, job: Job, problem: Exception) -> Message:
        """The message of a run that raised `problem`; a permanent failure is stored.

        A stored run of which a part is replayed stays as it is.
        """
        if not (isinstance(problem, PrunescopeError) and problem.permanent) or self.store.known_runs([job.id]):
            return Message.of_error(job.id, problem, self.store)
        level = level_of(job.recipe)
        why = f"at level {level}, {problem}" if level else str(problem)
        manifest = base_manifest(job.recipe, "failed", StoredResults(self.store))
        manifest |= {"why": why, "error": type(problem).__name__}
        self.store.add_run(job.id, manifest, {}, {})
        return Message(job.id, "failed", why=why)

    # -- readings

    def read(self, reading: Measured, beat: Callable[[int], bool] = lambda milliseconds: True) -> None:
        """Takes a reading, or compares two states, and stores it.

        beat: gets the milliseconds so far, now and then; False stops the reading. Raises Stopped.
        """
        began = told = time.monotonic()

        def goes_on() -> None:
            nonlocal told
            if (now := time.monotonic()) - told > READING_BEAT:
                told = now
                if not beat(int(1000 * (now - began))):
                    raise Stopped(reading.id)

        runs = [StoredResults(self.store).run(state.run) for state in reading.states]
        with one_thread(), torch.no_grad():
            states = [self.state(*pair) for pair in zip(runs, reading.states, strict=True)]
            watched = (State(replace(problem, beat=goes_on), weights) for problem, weights in states)
            values = plain(reading.take(*watched), type(reading.of).__name__)
        facts = {"reading": describe(reading), "run": runs[0].id}
        others = {"others": [run.id for run in runs[1:]]} if len(runs) > 1 else {}
        self.store.add_reading(reading.id, values, facts | others)

    def state(self, run: Run, reference: StateRef) -> State:
        """A state and the task of its run, in memory; `params[name]` is there for frozen parameters, too."""
        problem, weights = self.problem(run), self.weights(reference)
        return State(problem, weights.with_frozen() if problem.model.frozen else weights)


def _check_kept(progress: Progress, moments: Iterable[Moment]) -> None:
    """Raises UsageError for a moment that the run did not reach because its stop rule ended it."""
    for moment in moments:
        if moment.when != "final" and moment.id not in progress.kept:
            raise UsageError(
                f"the run has no state {moment.when} {moment.at!r}: its stop rule ended it at step {progress.local}"
            )
