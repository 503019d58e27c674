"""The positions of a run at which something is due, and the context of an intervention there.

Belongs here: events, probes, states to keep. Does not belong here: steps (`loop.py`), the order of everything
(`run.py`).
"""

from collections.abc import Iterator
from functools import cached_property, partial

import torch

from prunescope.base import tree
from prunescope.base.errors import Unreachable, UsageError
from prunescope.base.installed import is_shipped
from prunescope.base.reference import Moment, StateRef
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.sparsity.structure import Structure
from prunescope.tasks.task import Problem
from prunescope.training import derivatives
from prunescope.training.background import Background
from prunescope.training.interventions.contract import applied, events_of
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Program, Stepper
from prunescope.training.probes import Phase, Probe
from prunescope.training.progress import Progress, Row


class Timeline:
    """The events, probes and states to keep of one run, by position."""

    def __init__(
        self,
        program: Program,
        probes: tuple[Probe, ...],
        keep: tuple[Moment, ...],
        background: Background | None = None,
    ) -> None:
        """Converts all durations to steps. Raises UsageError for events and moments that the run does not have.

        background: where probes observe while training continues; their rows are complete once it has been waited for.
        """
        self.program, self.probes, self._background = program, probes, background
        self.clock = Clock(program.clock.epoch_steps, program.steps)
        self.events = [events_of(value, self.clock) for value in program.interventions]
        for value in program.interventions:
            value.check(self.clock, lambda: program.problem.model.structure)
        self.keep = [(moment, self.clock.steps(moment.at)) for moment in keep if moment.when != "final"]
        event_steps = {k for events in self.events for k in events}
        for moment, k in self.keep:
            _check(moment, k, self.clock, event_steps)
        self.probe_steps = {probe.id: frozenset(probe.steps(self.clock)) for probe in probes}
        kept_steps = {k for _, k in self.keep}
        self.stops = sorted({program.steps}.union(event_steps, kept_steps, *self.probe_steps.values()))
        self._next = 0
        self.onsets = {k for value in program.interventions for k in value.onsets(self.clock)}

    @cached_property
    def _probed_problem(self) -> Problem:
        """The problem for probes beside training and for those that a user wrote: no engine has its network."""
        return self.program.problem.apart()

    def next_stop(self, local: int) -> int:
        """The first position after `local` at which anything may be due."""
        while self.stops[self._next] <= local:
            self._next += 1
        return self.stops[self._next]

    def arrive(self, progress: Progress) -> Progress:
        """The progress after everything that is due at its position, before the next step."""
        due = [i for i, events in enumerate(self.events) if progress.local in events]
        progress = self._observe(progress, "step")
        if due:
            progress = self._observe(progress, "before")
            for i in due:
                progress = progress.replace(state=self._applied(i, progress))
            progress = self._observe(progress, "after")
        return progress

    def _applied(self, i: int, progress: Progress) -> TrainState:
        """The state after an event; a failure names the intervention and the step."""
        intervention, context = self.program.interventions[i], EventContext(self, progress, i)
        try:
            return applied(intervention, progress.state, context)
        except Unreachable as problem:
            event = f", event {context.event + 1} of {context.events}" if context.events > 1 else ""
            where = f"{type(intervention).__name__} at step {progress.local} of the run{event}"
            raise type(problem)(f"{where}: {problem}") from problem

    def end(self, progress: Progress) -> Progress:
        """The finished progress, observed by the probes that observe the end of a run."""
        if progress.local < self.program.steps:  # ended by its stop rule, so not at the end of the clock
            progress = self._observe(progress, "step", early=True)
        return progress.replace(finished=True)

    def _observe(self, progress: Progress, phase: Phase, *, early: bool = False) -> Progress:
        local, state = progress.local, progress.state
        traces = dict(progress.traces)
        for probe in self.probes:
            if self._due(probe, phase, local, early):
                row: Row = {"step": state.step, "local": local, "phase": phase}
                row |= {"epoch": local / self.clock.epoch_steps}
                shipped = is_shipped(probe)
                if self._background is None or probe.trains or not shipped:
                    problem = self.program.problem if shipped else self._probed_problem
                    self._complete(row, probe, progress, problem)
                else:
                    self._background.do(partial(self._complete, row, probe, progress, self._probed_problem))
                traces[probe.id] = [*traces.get(probe.id, []), row]
        kept = {moment.id: state.weights for moment, k in self.keep if k == local and moment.when == phase}
        return progress.replace(kept=progress.kept | kept, traces=traces)

    def _complete(self, row: Row, probe: Probe, progress: Progress, problem: Problem) -> None:
        """Adds the columns of the probe to a row."""
        mean = float(progress.running) / max(1, self.clock.into_epoch(progress.local))
        state = progress.state
        if problem.model.frozen:
            state = state.replace(weights=state.weights.with_frozen())
        row |= probe.row(problem, state, mean)

    def _due(self, probe: Probe, phase: Phase, local: int, early: bool) -> bool:
        steps = self.probe_steps[probe.id]
        at_onset = probe.around_onsets and local in self.onsets
        if phase != "step":
            return probe.around_events or (at_onset and (phase == "after" or local not in steps))
        if early:  # a probe that was due here has observed on arrival
            return local not in steps and not at_onset and self.clock.total in steps
        return local in steps


def _check(moment: Moment, step: int, clock: Clock, event_steps: set[int]) -> None:
    """Raises UsageError for a moment beyond the run, or before or after an event that the run does not have."""
    if step > clock.total:
        raise UsageError(f"there is no state at {moment.at!r}: it is step {step}, and the run has {clock.total} steps")
    if moment.when != "step" and step not in event_steps:
        known = ", ".join(str(k) for k in sorted(event_steps)[:20]) or "none"
        raise UsageError(
            f"nothing happens at {moment.at!r} (step {step}), so there is no state {moment.when} it; "
            f"steps with events: {known}"
        )


class EventContext:
    """The `interventions.Context` of one intervention at one event, which says what its members are."""

    def __init__(self, timeline: Timeline, progress: Progress, index: int) -> None:
        """progress: of the run just before the intervention acts. index: place of the intervention in the recipe."""
        self.program, self.state, self.index = timeline.program, progress.state, index
        self.clock, self.local, self._steps = timeline.clock, progress.local, timeline.events[index]
        self.key = memory_key(index, self.program.interventions[index])
        self.events, self.slots = len(self._steps), self.program.optimizer.slots

    @property
    def event(self) -> int:
        """The number of this event, from 0."""
        return self._steps.index(self.local)

    @property
    def structure(self) -> Structure:
        """The units of the network."""
        return self.program.problem.model.structure

    def stream(self, *name: str) -> torch.Generator:
        """A named generator for this step; each intervention of one class has its own."""
        values = self.program.interventions[: self.index + 1]
        kind = type(values[-1])
        twins = sum(type(value) is kind for value in values) - 1
        return stream(self.program.seeds.mask, kind.__name__, twins, *name, self.state.step)

    def gradient(self, weights: Weights, batches: int, *, temperature: float = 1.0) -> Tree:
        """Dense gradient over the next `batches` training batches."""
        return derivatives.gradient(self.program.problem, weights, self._batches(batches), temperature=temperature)

    def hessian_product(self, weights: Weights, along: Tree, batches: int, *, temperature: float = 1.0) -> Tree:
        """Hessian over the same batches times `along`."""
        problem, ahead = self.program.problem, self._batches(batches)
        return derivatives.hessian_product(problem, weights, along, ahead, temperature=temperature)

    def output_gradient(self, weights: Weights) -> Tree:
        """Gradient of the outputs for an input of ones."""
        return derivatives.output_gradient(self.program.problem, weights)

    def _batches(self, count: int) -> Iterator[derivatives.Batch]:
        stepper, now = Stepper(self.program), self.state.step
        return ((*stepper.batch(step), stepper.draw(step)) for step in range(now, now + count))

    def reference(self, reference: StateRef) -> Weights:
        """The weights of a referenced state."""
        return self.program.references[reference.id]

    def fresh(self) -> Weights:
        """Newly drawn weights."""
        seed = int(torch.randint(2**62, (), generator=stream(self.program.seeds.init, "reinit", self.state.step)))
        params, buffers = self.program.problem.model.init(seed)
        device = next(iter(self.state.weights.params.values())).device
        masks = {name: mask | True for name, mask in self.state.weights.masks.items()}
        return Weights(tree.to(params, device), tree.to(buffers, device), masks)
