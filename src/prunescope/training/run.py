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
from collections.abc import Callable

import torch

from prunescope.base.reference import Moment
from prunescope.base.state import TrainState, Weights
from prunescope.training.engines.loop import advance
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


def train(
    program: Program,
    progress: Progress,
    *,
    probes: tuple[Probe, ...] = (),
    keep: tuple[Moment, ...] = (),
    beat: Callable[[Progress], bool] = lambda progress: True,
) -> Progress:
    """The finished progress of a run, from any progress made before.

    beat: called between chunks of steps; returns False to stop here (the progress so far is then returned).

    Raises Diverged when the loss stops being a number, and what interventions raise.
    """
    timeline = Timeline(program, probes, keep)
    stepper, chunk = Stepper(program), 1
    while not progress.finished:
        progress = timeline.arrive(progress)
        if progress.local == program.steps:
            return timeline.end(progress)
        steps = min(chunk, timeline.next_stop(progress.local) - progress.local)
        began = time.perf_counter()
        state, running, ended = advance(
            stepper, progress.state, progress.running, steps=steps, local=progress.local
        )
        taken = state.step - progress.state.step
        progress = progress.replace(
            state=state, running=running, running_steps=progress.running_steps + taken
        )
        if ended:
            progress = timeline.end(progress)
        chunk = _chunk(steps, time.perf_counter() - began)
        if not beat(progress):
            break
    return progress


def _chunk(steps: int, seconds: float) -> int:
    return max(1, min(2 * steps, int(steps * CHUNK_SECONDS / max(seconds, 1e-6))))
