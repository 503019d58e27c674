"""The engine of many replicas in one program.

Belongs here: which replicas stand together, and taking steps until one of them leaves. Does not belong here: their
tensors (`stacked/working.py`), how a network is applied to all of them (`stacked/forward.py`).

Replicas may differ in seeds, data, masks, learning rate, position and stop; they share the network, the optimizer, the
batch size and the number of examples. Each equals itself alone but for rounding.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from prunescope.training.engines.engine import Engine, Lane, diverged
from prunescope.training.engines.loop import Loop, first_bad
from prunescope.training.engines.stacked.compiled import compiled_for
from prunescope.training.engines.stacked.forward import Admitted, Way, admitted
from prunescope.training.engines.stacked.recorded import Recorded, recordable
from prunescope.training.engines.stacked.side_by_side import Streams, join, on
from prunescope.training.engines.stacked.working import Stacked
from prunescope.training.loop import Stepper


class Stack:
    """Steps of many lanes at once.

    size: most members of one program. way: how a network is applied to all of them, if it admits that; else in the
    other way. otherwise: takes the lanes that cannot be stacked: an intervention looks at outputs during training, or
    the network does not give the same in a stack as alone. only_recorded: whether it takes those, too, whose steps
    cannot be recorded.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        way: Way = "layers",
        otherwise: Engine | None = None,
        only_recorded: bool = False,
    ) -> None:
        """Prepares nothing yet."""
        self.size, self.way, self.otherwise = size, way, otherwise or Loop()
        self.only_recorded = only_recorded
        self._works: list[Stacked] = []
        self._streams = Streams()

    def advance(self, lanes: Sequence[Lane], steps: int) -> list[Lane]:
        """See `Engine.advance`."""
        moved: dict[Stepper, Lane] = {}
        self._works, kept = [], self._still_good(lanes)
        rest = [lane for lane in lanes if not any(lane.stepper in work.steppers for work in kept)]
        groups = self._groups(rest)
        several = len(kept) + len(groups) > 1
        for members in groups:
            chosen = how(members[0], self.way)
            work = self._begun(members, chosen, kept, several=several) if chosen.way else None
            if work is None or (self.only_recorded and work.recorded is None):
                for lane in self.otherwise.advance(members, steps):
                    moved[lane.stepper] = lane
            else:
                kept.append(work)
        by_stepper = {lane.stepper: lane for lane in lanes}
        under_way = [Advance([by_stepper[stepper] for stepper in work.steppers], work) for work in kept]
        try:
            for one in under_way:
                with on(one.work.stream):
                    one.take(steps)
        finally:  # where memory did not suffice, too: what is let go of now is still in use
            join(work.stream for work in kept)
        for one in under_way:
            for lane in one.settled(steps):
                moved[lane.stepper] = lane.replace(members=len(one.lanes))
        self._works = [work for work in kept if work.steppers]
        return [moved[lane.stepper] for lane in lanes]

    def _begun(
        self, members: Sequence[Lane], chosen: Admitted, others: Sequence[Stacked], *, several: bool
    ) -> Stacked:
        """A new program. others: those that have their streams; several: whether there will be more than one."""
        assert chosen.way is not None
        model = members[0].stepper.program.problem.model
        work = Stacked(members, chosen.way(model), sparse_layers(members[0], chosen.linear))
        work.room = self._most(chosen)
        work.recorded = Recorded(work, record=work.on_gpu) if recordable(work) else None
        if several:
            taken = [other.stream for other in others]
            work.stream = self._streams.choose(members[0].running.device, taken)
        return work

    def _still_good(self, lanes: Sequence[Lane]) -> list[Stacked]:
        """The programs of the last call that can go on as they are; none if fewer would do."""
        states = {lane.stepper: lane.state for lane in lanes}
        good = [
            work
            for work in self._works
            if all(
                states.get(stepper) is state
                for stepper, state in zip(work.steppers, work.handed, strict=True)
            )
        ]
        members, room = sum(len(work.steppers) for work in good), sum(work.room for work in good)
        return good if len(good) <= 1 + len(lanes) // self.size or 2 * members > room else []

    def _most(self, chosen: Admitted) -> int:
        """The most members of one program."""
        return 1 if chosen.name == "streams" else self.size

    def _groups(self, lanes: Sequence[Lane]) -> list[list[Lane]]:
        """The lanes that stand together, those of like density side by side."""
        found: dict[tuple[object, ...], list[Lane]] = {}
        for lane in lanes:
            found.setdefault(kind(lane, how(lane, self.way)), []).append(lane)
        parts = []
        for members in found.values():
            members.sort(key=lambda lane: lane.state.weights.sparsity)
            # Equal parts: 33 members of at most 32 are 17 and 16.
            count = -(-len(members) // self._most(how(members[0], self.way)))
            bounds = [len(members) * part // count for part in range(count + 1)]
            parts += [members[a:b] for a, b in pairwise(bounds)]
        return parts


def how(lane: Lane, way: Way = "layers") -> Admitted:
    """How the lane's network is applied to a stack, if it is: in this way, or else in another."""
    program = lane.stepper.program
    if any(value.observes for value in program.interventions):
        return Admitted(None)
    inputs = program.problem.train.inputs
    return admitted(program.problem.model, tuple(inputs.shape), str(lane.running.device), way)


def kind(lane: Lane, chosen: Admitted) -> tuple[object, ...]:
    """What members of one program have in common."""
    program = lane.stepper.program
    problem, epoch = program.problem, lane.stepper.batches.epoch_steps
    return (
        problem.model.network.id,
        program.optimizer.id,
        program.batch,
        program.precision,
        len(problem.train),
        problem.train.inputs.shape,
        problem.loss,
        problem.augmentation,
        lane.state.step % epoch,
        chosen,
        lane.running.device,
        tuple(sparse_layers(lane, chosen.linear)),
    )


def sparse_layers(lane: Lane, linear: frozenset[str]) -> list[str]:
    """The weights of linear layers whose products are to be taken only where weights are.

    None unless every weight moves by its own gradient alone, and if moments of removed weights are not 0.
    """
    program, state = lane.stepper.program, lane.state
    kernels = program.problem.kernels
    below = min(kernels.together_below, kernels.train_below) if kernels.sparse != "none" else 0.0
    if program.precision != "float32" or not program.optimizer.elementwise:
        return []
    moments = [state.opt[part] for part in program.optimizer.slots if part in state.opt]
    found = []
    for name, free in state.free.items():
        leaf = state.weights.params[name]
        if name not in linear or not compiled_for(leaf) or int(free.sum()) >= below * free.numel():
            continue
        if not any(bool(part[name][~free].any()) for part in moments):
            found.append(name)
    return found


def bytes_per_member(lanes: Sequence[Lane], way: Way = "layers") -> int:
    """Bytes that one more member adds to a program while it takes a step, counted on the given ones.

    Tensors of the program, what its forward pass keeps for the backward pass, gradients; and the member's state
    outside. 0 for members that cannot be stacked.
    """
    chosen = how(lanes[0], way)
    if chosen.way is None:
        return 0
    model = lanes[0].stepper.program.problem.model
    work = Stacked(lanes, chosen.way(model), sparse_layers(lanes[0], chosen.linear))
    return work.bytes() // len(lanes)


class Advance:
    """Lanes on their way through several steps."""

    def __init__(self, lanes: Sequence[Lane], work: Stacked) -> None:
        """rows: for each member of the stack, the number of its lane."""
        self.lanes, self.work = list(lanes), work
        self.rows = tuple(range(len(lanes)))
        self.running = torch.stack([lane.running for lane in lanes])
        self.epoch = lanes[0].stepper.program.clock.epoch_steps
        self.stops = [lane.stepper.program.stop for lane in lanes]
        self.moved: dict[int, Lane] = {}
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
            seen = losses.detach()
            leaving = self._leaving(seen.tolist(), done) if watched else []
            if len(leaving) == len(self.rows):
                self.rows = ()
                self.work.steppers.clear()
                return
            self.work.update(losses, leaves, self._rate(done))
            self.running = self._running(seen, done)
            self.losses.append((self.rows, seen))
            for row in reversed(leaving):
                self._drop(row)

    def _play(self, steps: int, recorded: Recorded) -> None:
        """Steps that nothing on the host decides about."""
        table = torch.tensor([self._rates(done) for done in range(steps)], device=self.running.device)
        for done in range(steps):
            seen = recorded.step(table[done])
            self.running = self._running(seen, done)
            self.losses.append((self.rows, seen))

    def _leaving(self, losses: list[float], done: int) -> list[int]:
        """The members that go no step further, and where they stay."""
        leaving = []
        for row, (number, loss) in enumerate(zip(self.rows, losses, strict=True)):
            lane, stop = self.lanes[number], self.stops[number]
            if not stop.watches:
                continue
            if stop.reached(loss):
                state = self.work.state(row, lane.state, done)
                running = self.running[row].clone()
                self.moved[number] = lane.replace(
                    state=state, running=running, local=lane.local + done, ended=True
                )
                leaving.append(row)
            elif not math.isfinite(loss):
                self.moved[number] = lane.replace(failure=diverged(loss, lane.local + done))
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
        known: dict[tuple[str, object, int], float] = {}
        rates = []
        for number in self.rows:
            lane = self.lanes[number]
            program, step = lane.stepper.program, lane.state.schedule_step + done
            key = (program.schedule.id, program.clock, step)
            if key not in known:
                known[key] = program.schedule.at(step, program.clock)
            rates.append(known[key])
        return rates

    def _running(self, losses: Tensor, done: int) -> Tensor:
        """The sums of losses since each member's epoch began."""
        fresh = [(self.lanes[number].local + done) % self.epoch == 0 for number in self.rows]
        if all(fresh):
            return losses.clone()
        total = self.running + losses
        if any(fresh):
            total = losses.where(torch.tensor(fresh, device=losses.device), total)
        return total

    def settled(self, steps: int) -> list[Lane]:
        """The lanes after these steps, or where they ended or failed."""
        finite = self.running.isfinite().tolist() if self.rows else []
        for row, number in enumerate(self.rows):
            lane = self.lanes[number]
            if not finite[row]:
                seen = [losses[rows.index(number)] for rows, losses in self.losses]
                self.moved[number] = lane.replace(failure=first_bad(seen, lane.local))
                continue  # the next call finds that one is gone, and stacks the others anew
            state = self.work.hand(row, self.work.state(row, lane.state, steps))
            self.moved[number] = lane.replace(
                state=state, running=self.running[row].clone(), local=lane.local + steps
            )
        return [self.moved[number] for number in range(len(self.lanes))]
