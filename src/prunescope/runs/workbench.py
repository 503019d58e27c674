"""Where one process makes runs and readings.

Belongs here: from a node to its stored result, with everything it needs loaded once. Does not belong here: which
node comes next (`execute.py`), how many processes there are (`executors/`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import FINAL, Moment, StateRef
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.value import text_digest
from prunescope.runs.code_check import check_code
from prunescope.runs.engines import LOOP, EngineSetting, engine_of
from prunescope.runs.graph import Reading, describe
from prunescope.runs.manifest import base_manifest, execution, outcome
from prunescope.runs.placement import make_current, one_thread, progress_on, weights_on
from prunescope.runs.recent import Recent
from prunescope.runs.recipe import Fresh, Recipe, Subset
from prunescope.runs.results import Results
from prunescope.runs.saver import Saver
from prunescope.runs.store import Store
from prunescope.tasks.data.source import Arrays
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import Model
from prunescope.tasks.task import Problem
from prunescope.training.background import Background
from prunescope.training.engines.stacked.forward import Method
from prunescope.training.loop import Program
from prunescope.training.probes import Probe
from prunescope.training.progress import Progress
from prunescope.training.run import Member, begin, train_together

CHECKPOINT_SECONDS = 15.0


class Stopped(Exception):
    """The work was interrupted; a checkpoint is stored."""


class Workbench:
    """Loads tasks, trains runs, takes readings, and stores them. One per process, one torch thread."""

    def __init__(
        self,
        store: Store,
        *,
        device: str = "cpu",
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        setting: EngineSetting = LOOP,
        overlap: bool | None = None,
    ) -> None:
        """Loads nothing yet; makes a GPU the current one. setting: how new runs are trained.

        overlap: whether checkpoints are stored, and probes look, while training goes on; by default on a GPU only,
        since a worker on a CPU has one core.
        """
        make_current(device)
        self.setting = setting.on(device)
        self.overlap = device != "cpu" if overlap is None else overlap
        self.store, self.device, self.checkpoint_seconds = store, device, checkpoint_seconds
        self.arrays: Recent[Arrays] = Recent(2)
        self.there: Recent[Arrays] = Recent(2)  # the same on the device, once for all label seeds and runs
        self.models: Recent[Model] = Recent(8)
        self.problems: Recent[Problem] = Recent(4)
        self.states: Recent[Weights] = Recent(16)

    # -- loading

    def problem(self, recipe: Recipe) -> Problem:
        """The recipe's task in memory, on the device, restricted to its subset.

        Raises CodeChanged when the network's code no longer computes what it did, DataError for missing data.
        """
        key = text_digest(
            recipe.task.id + recipe.seeds.replace(init=0, order=0, mask=0).id + recipe.examples.id
        )
        return self.problems.get(key, lambda: self._load(recipe))

    def _load(self, recipe: Recipe) -> Problem:
        source, network = recipe.task.data.source, recipe.task.network
        arrays = self.arrays.get(source.id, source.load)
        model = self.models.get(network.id, lambda: Model(network))
        problem = recipe.task.load(recipe.seeds, arrays, model=model)
        check_code(self.store, recipe, problem)
        if isinstance(recipe.examples, Subset):
            rows = torch.from_numpy(Results(self.store).rows(recipe.examples))
            if rows[0] < 0 or rows[-1] >= len(problem.train):
                raise UsageError(
                    f"the subset rule {recipe.examples.rule} picks rows {rows[0]} to {rows[-1]} of a training split "
                    f"of {len(problem.train)}; return row numbers from 0"
                )
            problem = problem.restricted(rows)
        there = None
        if self.device != "cpu":
            there = self.there.get(source.id, lambda: arrays.inputs_on(self.device))
        return replace(problem.to(self.device, there), kernels=self.setting.kernels)

    def weights(self, state: StateRef) -> Weights:
        """A stored state, on the device."""
        recipe, moment = Results(self.store).state_key(state)
        return self.states.get(recipe.id + moment, lambda: self._stored(recipe, moment))

    def _stored(self, recipe: Recipe, moment: str) -> Weights:
        return weights_on(self.store.weights(recipe.id, moment), self.device)

    # -- runs

    def program(self, recipe: Recipe) -> Program:
        """Everything fixed that the training of the recipe needs."""
        problem = self.problem(recipe)
        clock = recipe.clock(len(problem.train))
        needed = [
            ref for value in recipe.interventions for ref in value.references if isinstance(ref, StateRef)
        ]
        return Program(
            problem=problem,
            optimizer=recipe.optimizer,
            schedule=recipe.schedule,
            clock=clock,
            batch=recipe.batch,
            stop=recipe.stop,
            seeds=recipe.seeds,
            begin=clock.steps(recipe.begin),
            precision=recipe.precision,
            interventions=recipe.interventions,
            references={ref.id: self.weights(ref) for ref in needed},
        )

    def start(self, recipe: Recipe, program: Program) -> Progress:
        """The recipe's progress before its first step."""
        if isinstance(recipe.start, Fresh):
            return begin(program, fresh_weights(program.problem.model, recipe.seeds.init, self.device), 0)
        parent = Results(self.store).recipe(recipe.start.run)
        manifest = self.store.manifest(parent.id)
        if manifest is None or manifest["status"] != "done":
            raise PrunescopeError(f"run {recipe.id} starts from run {parent.id}, which is not in the store")
        step = int(manifest["step"])
        if recipe.start.moment.when != "final":
            clock = Clock(manifest["epoch_steps"], manifest["most_steps"])
            step += clock.steps(recipe.start.moment.at) - int(manifest["steps"])
        return begin(program, self.weights(recipe.start), step)

    def train(
        self,
        recipe: Recipe,
        *,
        moments: tuple[Moment, ...] = (),
        probes: tuple[Probe, ...] = (),
        beat: Callable[[int], bool] = lambda done: True,
    ) -> dict[str, Any]:
        """Makes a run, or what is missing of it, and stores it; returns its manifest.

        beat: told the steps done so far; False stops the run after a checkpoint.

        Raises Stopped, Diverged, UsageError for a moment that the run does not have, what interventions raise.
        """
        with one_thread(), self.aside() as aside:
            member, saver = self.member(recipe, moments, probes, beat, aside=aside)
            try:
                train_together([member], engine_of(saver.setting), lambda _: saver(member.progress))
            except (
                KeyboardInterrupt,
                MemoryError,
                RuntimeError,
            ):  # torch's word for no memory is the last one
                saver.save_now()
                raise
            if member.failure is not None:
                raise member.failure
            if saver.stopped:
                saver.save_now()
                raise Stopped(recipe.id)
            return self.finish(recipe, member, saver)

    @contextmanager
    def aside(self) -> Iterator[Background | None]:
        """A thread beside one piece of work, if this bench has them overlap."""
        aside = Background(self.device) if self.overlap else None
        try:
            yield aside
        finally:
            if aside is not None:
                aside.close()

    def member(
        self,
        recipe: Recipe,
        moments: tuple[Moment, ...],
        probes: tuple[Probe, ...],
        beat: Callable[[int], bool],
        *,
        stack: int = 1,
        way: Method = "layers",
        aside: Background | None = None,
    ) -> tuple[Member, Saver]:
        """A run as it is ready to train, where its checkpoint left it if there is one, and what stores it.

        stack: most runs of the program that it trains in; way: how the network is applied to them. A checkpoint keeps
        the setting that it was made with. aside: from `aside`.
        """
        program = self.program(recipe)
        watched = frozenset(part.id for part in (*moments, *probes))
        saver = Saver(self.store, recipe.id, watched, self.checkpoint_seconds, beat, aside)
        saver.setting = self._setting(recipe, self.setting.replace(stack=stack, way=way))
        progress = self._resumed(recipe, saver) or self.start(recipe, program)
        program = with_kernels(program, saver.setting.kernels)
        progress = progress_on(progress, self.device)
        return Member(program, progress, probes=probes, keep=moments, background=aside), saver

    def finish(self, recipe: Recipe, member: Member, saver: Saver) -> dict[str, Any]:
        """Stores a run that has ended; returns its manifest. Raises UsageError for a moment that it did not reach."""
        saver.settle()
        probes, progress = member.timeline.probes, member.progress
        # A probe that had nothing to see has an empty trace, or it would be looked for again and again.
        traces = {probe.id: progress.traces.get(probe.id, []) for probe in probes}
        manifest = self._commit(recipe, member.program, progress.replace(traces=traces), saver)
        _check_kept(progress, (moment for moment, _ in member.timeline.keep))
        return manifest

    def _setting(self, recipe: Recipe, fresh: EngineSetting) -> EngineSetting:
        """How to train it: a stored run of which a part is missing is replayed as it was made, others as `fresh`."""
        stored = self.store.manifest(recipe.id)
        if stored is None or stored["status"] != "done":
            return fresh
        before = EngineSetting.of(stored["exec"]).on(self.device)
        return before if before.available(self.device) else self.setting

    def _resumed(self, recipe: Recipe, saver: Saver) -> Progress | None:
        """The progress of a checkpoint, if it has looked for all that is wanted now."""
        found = self.store.load_partial(recipe.id)
        if found is None or not saver.watched <= found.watched:
            return None
        saver.spent = found.seconds
        # What was begun on a CPU may go on elsewhere: its manifest then names the kernels that are used there.
        setting = found.setting.on(self.device)
        if setting.available(self.device):
            saver.setting = setting
        return found.progress

    def _commit(self, recipe: Recipe, program: Program, progress: Progress, saver: Saver) -> dict[str, Any]:
        weights = progress.state.weights
        states = {FINAL.id: weights, **progress.kept}
        stored = self.store.manifest(recipe.id)
        if stored is not None and stored["status"] == "done":
            self.store.add_parts(recipe.id, states, progress.traces)
            return stored
        self.states.get(recipe.id + FINAL.id, lambda: weights)
        manifest = base_manifest(recipe, "done", Results(self.store)) | outcome(program, progress)
        manifest["exec"] = execution(self.device, saver, progress)
        self.store.add_run(recipe.id, manifest, states, progress.traces)
        return manifest

    def fail(self, recipe: Recipe, problem: PrunescopeError) -> None:
        """Stores a run as failed, with the reason: the same recipe would fail again."""
        manifest = base_manifest(recipe, "failed", Results(self.store))
        manifest |= {"why": str(problem), "error": type(problem).__name__}
        self.store.add_run(recipe.id, manifest, {}, {})

    # -- readings

    def read(self, reading: Reading) -> None:
        """Takes a reading and stores it."""
        with one_thread(), torch.no_grad():
            recipe, _ = Results(self.store).state_key(reading.state)
            values = reading.measure.measure(self.problem(recipe), self.weights(reading.state))
        plain = {name: torch.as_tensor(value).detach().cpu() for name, value in values.items()}
        self.store.add_reading(reading.id, plain, {"reading": describe(reading), "run": recipe.id})


def fresh_weights(model: Model, seed: int, device: str = "cpu") -> Weights:
    """Newly initialized weights with all masks True."""
    params, buffers = model.init(seed)
    masks = {
        name: torch.ones_like(params[name], dtype=torch.bool) for name in params if name in model.maskable
    }
    return Weights(tree.to(params, device), tree.to(buffers, device), tree.to(masks, device))


def with_kernels(program: Program, kernels: Kernels) -> Program:
    """The same program with other products; nothing else differs."""
    return replace(program, problem=replace(program.problem, kernels=kernels))


def _check_kept(progress: Progress, moments: Iterable[Moment]) -> None:
    """Raises UsageError for a moment that the run did not reach because its stop rule ended it."""
    for moment in moments:
        if moment.when != "final" and moment.id not in progress.kept:
            raise UsageError(
                f"the run has no state {moment.when} {moment.at!r}: its stop rule ended it at step {progress.local}"
            )
