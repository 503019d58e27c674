"""The plain engine: one replica, one step after another.

Belongs here: taking several steps with nothing in between. Does not belong here: what a step is (`training/loop.py`).
"""

import math

from torch import Tensor

from prunescope.base.errors import Diverged
from prunescope.base.state import TrainState
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Stepper


def advance(
    stepper: Stepper, state: TrainState, running: Tensor, *, steps: int, local: int
) -> tuple[TrainState, Tensor, bool]:
    """The state `steps` steps on, the running loss sum (0-D), and whether the stop rule ended the run first.

    local: position of `state`, counted from the run's start.

    Raises Diverged when the loss stops being a number.
    """
    program = stepper.program
    watchers = [(i, value) for i, value in enumerate(program.interventions) if value.observes]
    watches = program.stop.watches
    for position in range(local, local + steps):
        names = [value.needs(position) for _, value in watchers]
        moved, loss, captured = stepper.step(state, capture=frozenset().union(*names))
        if watches and program.stop.reached(loss.item()):
            return state, running, True
        state, running = moved, running + loss
        for (index, value), wanted in zip(watchers, names, strict=True):
            if wanted:
                key = memory_key(index, value)
                seen = value.observe(state.memory[key], {name: captured[name] for name in wanted})
                state = state.replace(memory={**state.memory, key: seen})
    if not math.isfinite(running.item()):
        raise Diverged(
            f"the training loss is {running.item()} by step {local + steps} of the run; "
            "lower the learning rate or check the data, then run again"
        )
    return state, running, False
