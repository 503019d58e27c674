"""The plain engine: one replica after the other, one pure step after another. It is the reference for all others."""

import math
from collections.abc import Sequence

from torch import Tensor

from prunescope.training.engines.engine import Replica, diverged, needed, observed


class Loop:
    """Steps as `Stepper.step` says, for every replica by itself."""

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """See `Engine.advance`."""
        return [_advance(replica, steps) for replica in replicas]


def _advance(replica: Replica, steps: int) -> Replica:
    stepper, state, running = replica.stepper, replica.state, replica.running
    program = stepper.program
    losses: list[Tensor] = []
    for position in range(replica.local, replica.local + steps):
        needs = needed(program, position)
        moved, loss, captured = stepper.step(state, capture=frozenset().union(*needs.values()))
        if program.stop.watches and program.stop.reached(loss.item()):
            return replica.replace(state=state, running=running, local=position, ended=True)
        state = moved.replace(memory=observed(program, moved.memory, needs, captured))
        running = loss if position % program.clock.epoch_steps == 0 else running + loss
        losses.append(loss)
    if not math.isfinite(running.item()):
        return replica.replace(failure=diverged(losses, replica.local))
    return replica.replace(state=state, running=running, local=replica.local + steps)
