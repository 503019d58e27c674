"""What is due at which position of a run, and what an intervention may ask for there.

Belongs here: events, probes, states to keep. Does not belong here: steps (`loop.py`), the order of everything
(`run.py`).
"""

from dataclasses import dataclass

import torch

from prunescope.base import tree
from prunescope.base.reference import Moment, StateRef
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Program, Stepper, gradients
from prunescope.training.probes import Phase, Probe
from prunescope.training.progress import Progress, Row


class Timeline:
    """What is due at which position of one run."""

    def __init__(self, program: Program, probes: tuple[Probe, ...], keep: tuple[Moment, ...]) -> None:
        """Converts all durations to steps. Raises UsageError for events beyond the run."""
        self.program, self.probes = program, probes
        self.clock = Clock(program.clock.epoch_steps, program.steps)
        self.events = [value.events(self.clock) for value in program.interventions]
        self.keep = [(moment, self.clock.steps(moment.at)) for moment in keep if moment.when != "final"]
        marks = {k for events in self.events for k in events} | {k for _, k in self.keep}
        marks |= set(range(0, program.steps + 1, self.clock.epoch_steps)) | {program.steps}
        self.looks = {probe.id: frozenset(probe.steps(self.clock)) for probe in probes}
        self.marks = sorted(marks.union(*self.looks.values()))
        self._next = 0

    def next_stop(self, local: int) -> int:
        """The first position after `local` at which anything may be due."""
        while self.marks[self._next] <= local:
            self._next += 1
        return self.marks[self._next]

    def arrive(self, progress: Progress) -> Progress:
        """Everything due at the position of `progress`, before the step that leaves it."""
        local = progress.local
        progress = self._look(progress, "step", end=progress.finished)
        due = [i for i, events in enumerate(self.events) if local in events]
        if due:
            progress = self._look(progress, "before")
            for i in due:
                moved = self.program.interventions[i].apply(progress.state, EventContext(self, progress, i))
                progress = progress.replace(state=moved)
            progress = self._look(progress, "after")
        if local % self.clock.epoch_steps == 0:
            progress = progress.replace(running=torch.zeros_like(progress.running), running_steps=0)
        return progress

    def finish(self, progress: Progress) -> Progress:
        """The progress marked as finished."""
        return progress.replace(finished=True)

    def _look(self, progress: Progress, phase: Phase, *, end: bool = False) -> Progress:
        local, state = progress.local, progress.state
        mean = float(progress.running) / max(1, progress.running_steps)
        traces = dict(progress.traces)
        for probe in self.probes:
            if self._due(probe, phase, local, end):
                row: Row = {"step": state.step, "local": local, "phase": phase}
                row |= {"epoch": local / self.clock.epoch_steps}
                row |= probe.observe(self.program.problem, state, mean)
                traces[probe.id] = [*traces.get(probe.id, []), row]
        kept = dict(progress.kept)
        kept.update(
            (moment.id, state.weights) for moment, k in self.keep if k == local and moment.when == phase
        )
        return progress.replace(kept=kept, traces=traces)

    def _due(self, probe: Probe, phase: Phase, local: int, end: bool) -> bool:
        if phase != "step":
            return probe.around_events
        looks = self.looks[probe.id]
        return local in looks or (end and self.clock.total in looks)


@dataclass(frozen=True)
class EventContext:
    """What one intervention may ask for at one event; see `interventions.Context`."""

    timeline: Timeline
    progress: Progress
    index: int

    @property
    def key(self) -> str:
        """Where this intervention's memory is."""
        return memory_key(self.index, self.timeline.program.interventions[self.index])

    @property
    def clock(self) -> Clock:
        """The clock of the run."""
        return self.timeline.clock

    @property
    def local(self) -> int:
        """Steps since the run's start."""
        return self.progress.local

    @property
    def event(self) -> int:
        """Which of its events this is, from 0."""
        return self.timeline.events[self.index].index(self.local)

    @property
    def events(self) -> int:
        """How many events it has."""
        return len(self.timeline.events[self.index])

    @property
    def moments(self) -> tuple[str, ...]:
        """Optimizer states shaped like parameters."""
        return self.timeline.program.optimizer.moments

    def stream(self, *name: str) -> torch.Generator:
        """A named generator at this step."""
        return stream(self.timeline.program.seeds.mask, *name, self.progress.state.step)

    def gradient(self, batches: int) -> Tree:
        """Dense gradient of the mean loss over the next `batches` training batches."""
        program, state = self.timeline.program, self.progress.state
        stepper, total, count = Stepper(program), None, 0
        for number in range(batches):
            x, y = stepper.batch(state.step + number)
            _, grads, _, _ = gradients(program, state.weights, x, y)
            weighted = {name: grad * len(y) for name, grad in grads.items()}
            total = weighted if total is None else tree.tree_map(torch.add, total, weighted)
            count += len(y)
        return tree.tree_map(lambda leaf: leaf / count, total or {})

    def reference(self, reference: StateRef) -> Weights:
        """The weights of a referenced state."""
        return self.timeline.program.references[reference.id]

    def fresh(self) -> Weights:
        """Newly drawn weights."""
        program, state = self.timeline.program, self.progress.state
        seed = int(torch.randint(2**62, (), generator=stream(program.seeds.init, "reinit", state.step)))
        params, buffers = program.problem.model.init(seed)
        device = next(iter(state.weights.params.values())).device
        masks = {name: mask | True for name, mask in state.weights.masks.items()}
        return Weights(tree.to(params, device), tree.to(buffers, device), masks)
