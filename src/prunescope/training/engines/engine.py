"""What an engine is: how replicas take their steps on this machine.

Results obey one law whatever the engine: the same recipe gives the same result to a stated tolerance, and bitwise the
same where engine, switch points, stack and device are equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from prunescope.base.errors import Diverged
from prunescope.base.state import Replaceable, TrainState
from prunescope.base.tree import Tree
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Program, Stepper


@dataclass(frozen=True)
class Replica(Replaceable):
    """One replica under way.

    running: 0-D, sum of the batch losses since the last epoch began, nats; an engine begins it anew with the first
        step of an epoch.
    local: position, counted from the run's start.
    ended: its stop rule ended the run here.
    failure: its loss stopped being a number; `state` is then void.
    members: how many replicas the program that moved it held.
    """

    stepper: Stepper
    state: TrainState
    running: Tensor
    local: int
    ended: bool = False
    failure: Diverged | None = None
    members: int = 1


class Engine(Protocol):
    """Takes steps in which nothing happens but training."""

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """The replicas `steps` steps on, in the same order; one that its stop rule ends or that fails stays behind.

        No replica has an event, a probe or a state to keep before its last of these steps is done. The tensors of the
        replicas that were given are left alone.
        """


def needed(program: Program, position: int) -> dict[int, frozenset[str]]:
    """The modules whose outputs are observed in the step at a position of the run, by number of the intervention."""
    observers = ((i, value) for i, value in enumerate(program.interventions) if value.observes)
    return {i: names for i, value in observers if (names := value.needs(position))}


def observed(
    program: Program, memory: dict[str, Tree], needs: dict[int, frozenset[str]], captured: Tree
) -> dict[str, Tree]:
    """The memories after a step in which these outputs were captured."""
    for i, names in needs.items():
        value = program.interventions[i]
        key = memory_key(i, value)
        memory = {**memory, key: value.observe(memory[key], {name: captured[name] for name in names})}
    return memory


def diverged(losses: Sequence[float | Tensor], local: int) -> Diverged:
    """The failure of a run among whose next losses, from position `local` on, is one that is not finite."""
    values = [float(loss) for loss in losses]
    first = next((step for step, loss in enumerate(values) if not math.isfinite(loss)), len(values) - 1)
    return Diverged(
        f"the training loss is {values[first]} at step {local + first} of the run; lower the learning rate or check "
        "the data, then run again"
    )


class Loop:
    """Steps as `Stepper.step` says, for every replica by itself: the reference for all other engines."""

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
