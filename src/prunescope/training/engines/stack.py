"""The engine of many replicas in one program.

Belongs here: which replicas stand together, and taking steps until one of them leaves. Does not belong here: their
tensors (`stacked/working.py`), how a network is applied to all of them (`stacked/forward.py`).

Replicas may differ in seeds, data, masks, learning rate, position and stop; they share the network, the optimizer, the
batch size and the number of examples. Each equals itself alone but for rounding.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from prunescope.tasks.kernels.jit import compiled_for
from prunescope.training.engines.engine import Engine, Loop, Replica, diverged
from prunescope.training.engines.stacked.forward import MOST_EXAMPLES, Admitted, Method, admitted
from prunescope.training.engines.stacked.recorded import Recorded, recordable
from prunescope.training.engines.stacked.side_by_side import Streams, join, on
from prunescope.training.engines.stacked.working import Stacked
from prunescope.training.loop import Stepper


class Stack:
    """Steps of many replicas at once.

    size: most members of one program.
    method: how a network is applied to all of them, if it admits that; else in the other method.
    otherwise: takes the replicas that cannot be stacked, because an intervention looks at outputs during training or
        the network does not give the same in a stack as alone.
    only_recorded: whether it takes those, too, whose steps cannot be recorded.
    """

    def __init__(
        self, *, size: int = 32, method: Method = "layers", otherwise: Engine | None = None, only_recorded: bool = False
    ) -> None:
        self.size, self.method, self.otherwise = size, method, otherwise or Loop()
        self.only_recorded = only_recorded
        self._works: list[Stacked] = []
        self._streams = Streams()

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """See `Engine.advance`."""
        moved: dict[Stepper, Replica] = {}
        self._works, kept = [], self._still_good(replicas)
        rest = [replica for replica in replicas if not any(replica.stepper in work.steppers for work in kept)]
        groups = self._groups(rest)
        several = len(kept) + len(groups) > 1
        for members in groups:
            chosen = how(members[0], self.method)
            work = self._begun(members, chosen, kept, several=several) if chosen.method else None
            if work is None or (self.only_recorded and work.recorded is None):
                for replica in self.otherwise.advance(members, steps):
                    moved[replica.stepper] = replica
            else:
                kept.append(work)
        by_stepper = {replica.stepper: replica for replica in replicas}
        under_way = [Advance([by_stepper[stepper] for stepper in work.steppers], work) for work in kept]
        try:
            for advance in under_way:
                with on(advance.work.stream):
                    advance.take(steps)
        finally:  # where memory did not suffice, too: what is let go of now is still in use
            join(work.stream for work in kept)
        for advance in under_way:
            for replica in advance.settled(steps):
                moved[replica.stepper] = replica.replace(members=len(advance.replicas))
        self._works = [work for work in kept if work.steppers]
        return [moved[replica.stepper] for replica in replicas]

    def _begun(
        self, members: Sequence[Replica], chosen: Admitted, others: Sequence[Stacked], *, several: bool
    ) -> Stacked:
        """A new program. others: those that have their streams; several: whether there will be more than one."""
        work = _stacked(members, chosen)
        work.room = self._most(chosen)
        work.recorded = Recorded(work, record=work.on_gpu).step if recordable(work) else None
        if several:
            taken = [other.stream for other in others]
            work.stream = self._streams.choose(members[0].running.device, taken)
        return work

    def _still_good(self, replicas: Sequence[Replica]) -> list[Stacked]:
        """The programs of the last call that can go on as they are; none if fewer would do."""
        states = {replica.stepper: replica.state for replica in replicas}
        good = [
            work
            for work in self._works
            if all(states.get(stepper) is state for stepper, state in zip(work.steppers, work.handed, strict=True))
        ]
        members, room = sum(len(work.steppers) for work in good), sum(work.room for work in good)
        return good if len(good) <= 1 + len(replicas) // self.size or 2 * members > room else []

    def _most(self, chosen: Admitted) -> int:
        return 1 if chosen.name == "streams" else self.size

    def _groups(self, replicas: Sequence[Replica]) -> list[list[Replica]]:
        """The replicas that stand together, those of like density side by side."""
        groups: dict[tuple[object, ...], list[Replica]] = {}
        for replica in replicas:
            groups.setdefault(kind(replica, how(replica, self.method)), []).append(replica)
        parts = []
        for members in groups.values():
            members.sort(key=lambda replica: replica.state.weights.sparsity)
            # Equal parts: 33 members of at most 32 are 17 and 16.
            count = -(-len(members) // self._most(how(members[0], self.method)))
            bounds = [len(members) * part // count for part in range(count + 1)]
            parts += [members[a:b] for a, b in pairwise(bounds)]
        return parts


def how(replica: Replica, method: Method = "layers") -> Admitted:
    """How the replica's network is applied to a stack, if it is: in this method, or else in another."""
    program = replica.stepper.program
    if any(value.observes for value in program.interventions):
        return Admitted(None)
    examples = min(program.batch, len(program.problem.train), MOST_EXAMPLES)
    shape = (examples, *program.problem.train.inputs.shape)
    return admitted(program.problem.model, shape, str(replica.running.device), method)


def kind(replica: Replica, chosen: Admitted) -> tuple[object, ...]:
    """What members of one program have in common."""
    program = replica.stepper.program
    problem, epoch = program.problem, replica.stepper.batches.epoch_steps
    return (
        problem.model.network.id,
        program.optimizer.id,
        program.batch,
        program.drop_last,
        replica.stepper.batches.whole,
        program.precision,
        len(problem.train),
        problem.train.inputs.shape,
        problem.loss,
        problem.augmentation,
        replica.state.step % epoch,
        chosen,
        replica.running.device,
        tuple(sparse_layers(replica, chosen.linear)),
    )


def sparse_layers(replica: Replica, linear: frozenset[str]) -> list[str]:
    """The weights of linear layers whose products are to be taken only where weights are.

    None unless every weight moves by its own gradient alone, and if moments of removed weights are not 0.
    """
    program, state = replica.stepper.program, replica.state
    kernels = program.problem.kernels
    below = kernels.train_below if kernels.sparse != "none" else 0.0
    if program.precision != "float32" or not program.optimizer.elementwise:
        return []
    slots = [state.opt[part] for part in program.optimizer.slots if part in state.opt]
    names = []
    for name, free in state.free.items():
        leaf = state.weights.params[name]
        if name not in linear or not compiled_for(leaf) or int(free.sum()) >= below * free.numel():
            continue
        if not any(bool(part[name][~free].any()) for part in slots):
            names.append(name)
    return names


def bytes_per_member(replicas: Sequence[Replica], method: Method = "layers") -> int:
    """Bytes that one more member adds to a program while it takes a step, counted on the given ones.

    Tensors of the program, what its forward pass keeps for the backward pass, gradients; and the member's state
    outside. 0 for members that cannot be stacked.
    """
    chosen = how(replicas[0], method)
    if chosen.method is None:
        return 0
    return _stacked(replicas, chosen).bytes() // len(replicas)


def _stacked(replicas: Sequence[Replica], chosen: Admitted) -> Stacked:
    assert chosen.method is not None
    forward = chosen.method(replicas[0].stepper.program.problem.model)
    return Stacked(replicas, forward, sparse_layers(replicas[0], chosen.linear))


class Advance:
    """Replicas on their way through several steps."""

    def __init__(self, replicas: Sequence[Replica], work: Stacked) -> None:
        """rows: for each member of the stack, the number of its replica."""
        self.replicas, self.work = list(replicas), work
        self.rows = tuple(range(len(replicas)))
        self.running = torch.stack([replica.running for replica in replicas])
        self.epoch = replicas[0].stepper.program.clock.epoch_steps
        self.stops = [replica.stepper.program.stop for replica in replicas]
        self.moved: dict[int, Replica] = {}
        self.losses: list[tuple[tuple[int, ...], Tensor]] = []

    def take(self, steps: int) -> None:
        """Takes so many steps; on a GPU they may still be under way when this returns."""
        if self.work.recorded is not None:
            self._play(steps, self.work.recorded)
        else:
            self._walk(steps)

    def _walk(self, steps: int) -> None:
        watched = any(stop.watches for stop in self.stops)
        for done in range(steps):
            losses, leaves = self.work.losses()
            values = losses.detach()
            leaving = self._leaving(values.tolist(), done) if watched else []
            if len(leaving) == len(self.rows):
                self.rows = ()
                self.work.steppers.clear()
                return
            self.work.update(losses, leaves, self._rate(done))
            self.running = self._running(values, done)
            self.losses.append((self.rows, values))
            for row in reversed(leaving):
                self._drop(row)

    def _play(self, steps: int, recorded: Callable[[Tensor], Tensor]) -> None:
        """Steps that nothing on the host decides about."""
        table = torch.tensor([self._rates(done) for done in range(steps)], device=self.running.device)
        for done in range(steps):
            values = recorded(table[done])
            self.running = self._running(values, done)
            self.losses.append((self.rows, values))

    def _leaving(self, losses: list[float], done: int) -> list[int]:
        """The members that go no step further, and where they stay."""
        leaving = []
        for row, (number, loss) in enumerate(zip(self.rows, losses, strict=True)):
            replica, stop = self.replicas[number], self.stops[number]
            if not stop.watches:
                continue
            if stop.reached(loss):
                state = self.work.state(row, replica.state, done)
                running = self.running[row].clone()
                self.moved[number] = replica.replace(
                    state=state, running=running, local=replica.local + done, ended=True
                )
                leaving.append(row)
            elif not math.isfinite(loss):
                self.moved[number] = replica.replace(failure=diverged([loss], replica.local + done))
                leaving.append(row)
        return leaving

    def _drop(self, row: int) -> None:
        rows = list(self.rows)
        rows[row] = rows[-1]
        self.rows = tuple(rows[:-1])
        self.running[row] = self.running[-1]
        self.running = self.running[:-1]
        self.work.drop(row)

    def _rate(self, done: int) -> float | Tensor:
        """The learning rate: one number where the members share it, else [R]."""
        rates = self._rates(done)
        return rates[0] if len(set(rates)) == 1 else torch.tensor(rates, device=self.running.device)

    def _rates(self, done: int) -> list[float]:
        keys = []
        for number in self.rows:
            program, state = self.replicas[number].stepper.program, self.replicas[number].state
            keys.append((program.schedule, program.clock, state.schedule_step + done))
        known = {key: key[0].at(key[2], key[1]) for key in set(keys)}
        return [known[key] for key in keys]

    def _running(self, losses: Tensor, done: int) -> Tensor:
        """The sums of losses since each member's epoch began."""
        fresh = [(self.replicas[number].local + done) % self.epoch == 0 for number in self.rows]
        if all(fresh):
            return losses.clone()
        total = self.running + losses
        if any(fresh):
            total = losses.where(torch.tensor(fresh, device=losses.device), total)
        return total

    def settled(self, steps: int) -> list[Replica]:
        """The replicas after these steps, or where they ended or failed."""
        finite = self.running.isfinite().tolist() if self.rows else []
        for row, number in enumerate(self.rows):
            replica = self.replicas[number]
            if not finite[row]:
                values = [losses[rows.index(number)] for rows, losses in self.losses]
                self.moved[number] = replica.replace(failure=diverged(values, replica.local))
                continue  # the next call finds that one is gone, and stacks the others anew
            self.work.handed[row] = state = self.work.state(row, replica.state, steps)
            self.moved[number] = replica.replace(
                state=state, running=self.running[row].clone(), local=replica.local + steps
            )
        return [self.moved[number] for number in range(len(self.replicas))]
