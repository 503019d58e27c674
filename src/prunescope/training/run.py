"""A run from its first state to its last: steps, events, probes, checkpoints.

Belongs here: the order of all that happens in a run. Does not belong here: the step itself (`loop.py`), storage.

At every position k = 0 ... N of a run, in this order:

    probes of phase "step", states kept "step"
    if interventions have events here:
        states kept "before", probes "before"
        the interventions, in declaration order
        states kept "after", probes "after"
    one step to k + 1 (unless k = N or the stop rule ends the run)

If its stop rule ends a run at k < N, the probes of phase "step" that observe the end of a run observe it there, unless
they did at k before. Events are never repeated.
"""

import time
from collections.abc import Callable, Sequence

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import Moment
from prunescope.base.state import TrainState, Weights
from prunescope.training.engines.engine import Engine, Loop, Replica
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Program, Stepper
from prunescope.training.probes import Probe
from prunescope.training.progress import Progress
from prunescope.training.timeline import Timeline

CHUNK_SECONDS = 0.5
"""The time that the engine runs before it can be asked to stop or to checkpoint; never part of a result."""


def begin(program: Program, weights: Weights, step: int) -> Progress:
    """The progress of a run before its first step, with fresh optimizer and memories.

    step: number of steps that its ancestors took.
    """
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

    failure: the reason why it cannot continue: an error at an event, or a loss that is not a number.
    """

    def __init__(
        self,
        program: Program,
        progress: Progress,
        *,
        probes: tuple[Probe, ...] = (),
        keep: tuple[Moment, ...] = (),
    ) -> None:
        """Raises UsageError for probes and moments that are impossible in this run."""
        self.program, self.progress = program, progress
        self.timeline, self.stepper = Timeline(program, probes, keep), Stepper(program)
        self.failure: PrunescopeError | None = None
        self._arrived = False

    @property
    def ended(self) -> bool:
        """Whether it takes no more steps."""
        return self.progress.finished or self.failure is not None

    @property
    def replica(self) -> Replica:
        """The part of the run that an engine moves."""
        return Replica(self.stepper, self.progress.state, self.progress.running, self.progress.local)

    @property
    def steps_until_due(self) -> int:
        """The number of steps before the next position at which anything may be due."""
        return self.timeline.next_stop(self.progress.local) - self.progress.local

    def arrive(self) -> None:
        """Does everything that is due at this position, once; at the end the run is finished.

        If memory runs out, nothing is done, so that it can be called again.
        """
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

    def update(self, replica: Replica) -> None:
        """Takes over the result of an engine."""
        if replica.failure is not None:
            self.failure = replica.failure
            return
        members = self.progress.members
        if members[-1:] != (replica.members,):
            members = (*members, replica.members)
        progress = self.progress.replace(state=replica.state, running=replica.running, members=members)
        self.progress, self._arrived = self.timeline.end(progress) if replica.ended else progress, False


def train_together(
    members: Sequence[Member], engine: Engine, beat: Callable[[Sequence[Member]], bool] = lambda members: True
) -> None:
    """Trains until every member has ended; one that finishes or fails leaves, and the others continue.

    beat: function of the members that were moved, called between chunks of steps; it returns False to stop here.
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
        start = time.perf_counter()
        replicas = engine.advance([member.replica for member in active], steps)
        for member, replica in zip(active, replicas, strict=True):
            member.update(replica)
        chunk = _chunk(steps, time.perf_counter() - start)
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
    """The finished progress of a run, which may begin from any earlier progress.

    beat: function of the progress, called between chunks of steps; if it returns False, the progress so far is
        returned.
    engine: takes the steps; None is the plain loop.

    Raises Diverged when the loss is not a number, and what interventions raise.
    """
    member = Member(program, progress, probes=probes, keep=keep)
    train_together([member], engine or Loop(), lambda _: beat(member.progress))
    if member.failure is not None:
        raise member.failure
    return member.progress


def _chunk(steps: int, seconds: float) -> int:
    return max(1, min(2 * steps, int(steps * CHUNK_SECONDS / max(seconds, 1e-6))))
