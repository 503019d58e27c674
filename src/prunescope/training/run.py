"""A run from its first state to its last: steps, events, probes, checkpoints.

Belongs here: what happens when, in one place. Does not belong here: what a step is (`loop.py`), where results go.

At every position k = 0 ... N of a run, in this order:

    probes of phase "step", states kept "step"
    if interventions have events here:
        states kept "before", probes "before"
        the interventions, in declaration order
        states kept "after", probes "after"
    one step to k + 1 (unless k = N or the stop rule ends the run)

A run that its stop rule ends at k < N is seen there once more, by those probes of phase "step" that look at the end
of a run and not at k anyway. Events are never repeated.
"""

import time
from collections.abc import Callable, Sequence

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import Moment
from prunescope.base.state import TrainState, Weights
from prunescope.training.background import Background
from prunescope.training.engines.engine import Engine, Replica
from prunescope.training.engines.loop import Loop
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Program, Stepper
from prunescope.training.probes import Probe
from prunescope.training.progress import Progress
from prunescope.training.timeline import Timeline

CHUNK_SECONDS = 0.5
"""How long the engine runs before it can be asked to stop or to checkpoint; never part of a result."""


def begin(program: Program, weights: Weights, step: int) -> Progress:
    """The progress of a run that has not moved: fresh optimizer, fresh memories. step: cumulative steps before."""
    memory = {memory_key(i, value): value.init(weights) for i, value in enumerate(program.interventions)}
    state = TrainState(
        step=step,
        schedule_step=program.begin,
        weights=weights,
        opt=program.optimizer.init(weights.params),
        memory=memory,
    )
    device = next(iter(weights.params.values())).device
    return Progress(start=step, state=state, running=torch.zeros((), device=device))


class Member:
    """One run among those that train together, at the position that it has reached.

    failure: why it cannot go on; what it raised at an event, or that its loss stopped being a number.
    """

    def __init__(
        self,
        program: Program,
        progress: Progress,
        *,
        probes: tuple[Probe, ...] = (),
        keep: tuple[Moment, ...] = (),
        background: Background | None = None,
    ) -> None:
        """Raises UsageError for probes and moments that the run does not have. background: see `Timeline`."""
        self.program, self.progress = program, progress
        self.timeline, self.stepper = Timeline(program, probes, keep, background), Stepper(program)
        self.failure: PrunescopeError | None = None
        self._arrived = False

    @property
    def over(self) -> bool:
        """Whether it takes no more steps."""
        return self.progress.finished or self.failure is not None

    @property
    def replica(self) -> Replica:
        """What of it an engine moves."""
        now = self.progress
        return Replica(self.stepper, now.state, now.running, now.local)

    @property
    def free(self) -> int:
        """Steps until anything may be due."""
        return self.timeline.next_stop(self.progress.local) - self.progress.local

    def arrive(self) -> None:
        """Everything due where it is, all of it once or, if memory runs out, nothing; at its end it is finished."""
        if self._arrived:
            return
        try:
            progress = self.timeline.arrive(self.progress)
            if progress.local == self.program.steps:
                progress = self.timeline.end(progress)
        except PrunescopeError as problem:
            self.failure = problem
        else:
            self.progress, self._arrived = progress, True

    def moved(self, replica: Replica) -> None:
        """Takes over what an engine made of its replica."""
        if replica.failure is not None:
            self.failure = replica.failure
            return
        now = self.progress
        members = now.members if now.members[-1:] == (replica.members,) else (*now.members, replica.members)
        progress = now.replace(state=replica.state, running=replica.running, members=members)
        self.progress, self._arrived = self.timeline.end(progress) if replica.ended else progress, False


def train_together(
    members: Sequence[Member], engine: Engine, beat: Callable[[Sequence[Member]], bool] = lambda members: True
) -> None:
    """Trains until every member is over; one that finishes or fails leaves, the others go on.

    beat: called between chunks of steps with the members that were moved; returns False to stop here.
    """
    chunk = 1
    while True:
        for member in members:
            if not member.ended:
                member.arrive()
        active = [member for member in members if not member.ended]
        if not active:
            return
        steps = min(chunk, *(member.steps_until_due for member in active))
        began = time.perf_counter()
        replicas = engine.advance([member.replica for member in active], steps)
        for member, replica in zip(active, replicas, strict=True):
            member.moved(replica)
        chunk = _chunk(steps, time.perf_counter() - began)
        if not beat(active):
            return


def train(
    program: Program,
    progress: Progress,
    *,
    probes: tuple[Probe, ...] = (),
    keep: tuple[Moment, ...] = (),
    beat: Callable[[Progress], bool] = lambda progress: True,
    engine: Engine | None = None,
) -> Progress:
    """The finished progress of a run, from any progress made before.

    beat: called between chunks of steps; returns False to stop here (the progress so far is then returned).
    engine: how steps are taken; the plain loop where it is None.

    Raises Diverged when the loss stops being a number, and what interventions raise.
    """
    member = Member(program, progress, probes=probes, keep=keep)
    train_together([member], engine or Loop(), lambda _: beat(member.progress))
    if member.failure is not None:
        raise member.failure
    return member.progress


def _chunk(steps: int, seconds: float) -> int:
    return max(1, min(2 * steps, int(steps * CHUNK_SECONDS / max(seconds, 1e-6))))
