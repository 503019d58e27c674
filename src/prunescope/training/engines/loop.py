"""The plain engine: one replica after the other, one pure step after another. It is the reference for all others."""

import math
from collections.abc import Sequence

from torch import Tensor

from prunescope.base.errors import Diverged
from prunescope.training.engines.engine import Replica, diverged
from prunescope.training.interventions.intervention import memory_key


class Loop:
    """Steps as `Stepper.step` says, for every replica by itself."""

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """See `Engine.advance`."""
        return [_advance(replica, steps) for replica in replicas]


def _advance(replica: Replica, steps: int) -> Replica:
    stepper, state, running = replica.stepper, replica.state, replica.running
    program = stepper.program
    watchers = [(i, value) for i, value in enumerate(program.interventions) if value.observes]
    watches, epoch = program.stop.watches, program.clock.epoch_steps
    losses: list[Tensor] = []
    for position in range(replica.local, replica.local + steps):
        names = [value.needs(position) for _, value in watchers]
        moved, loss, captured = stepper.step(state, capture=frozenset().union(*names))
        if watches and program.stop.reached(loss.item()):
            return replica.replace(state=state, running=running, local=position, ended=True)
        state, running = moved, loss if position % epoch == 0 else running + loss
        losses.append(loss)
        for (index, value), needed in zip(watchers, names, strict=True):
            if needed:
                key = memory_key(index, value)
                observation = value.observe(state.memory[key], {name: captured[name] for name in needed})
                state = state.replace(memory={**state.memory, key: observation})
    if not math.isfinite(running.item()):
        return replica.replace(failure=first_bad(losses, replica.local))
    return replica.replace(state=state, running=running, local=replica.local + steps)


def first_bad(losses: Sequence[Tensor], local: int) -> Diverged:
    """The failure of a run among whose next losses, from position `local` on, is one that is not finite."""
    values = [loss.item() for loss in losses]
    first = next((step for step, loss in enumerate(values) if not math.isfinite(loss)), len(values) - 1)
    return diverged(values[first], local + first)
