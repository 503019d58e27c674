"""The engine of one CPU core: steps in place, products that suit the masks.

Belongs here: taking several steps of one replica fast. Does not belong here: what a step is (`training/loop.py`), its
tensors (`working_set.py`), the products (`tasks/kernels/`).

Within one `advance` a replica's tensors live in a working set that nobody else holds and are changed in place. Where
no layer is exchanged, results are bitwise those of `Loop`; where some are, they differ by rounding.
"""

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree, clone
from prunescope.tasks.functional import drawing, reseed
from prunescope.tasks.kernels.cutting import is_worth_cutting, without_units
from prunescope.tasks.kernels.flushing import flushing
from prunescope.tasks.kernels.tailored import Tailored, tailored, untailored
from prunescope.training.engines.chain import Chain, Links, chain_of
from prunescope.training.engines.engine import Lane
from prunescope.training.engines.gradients import confirmed, gradients
from prunescope.training.engines.links import Descent
from prunescope.training.engines.loop import first_bad
from prunescope.training.engines.series import Series
from prunescope.training.engines.working_set import WorkingSet
from prunescope.training.interventions.intervention import memory_key
from prunescope.training.loop import Stepper


class Lean:
    """Steps in place, for every lane by itself, with the products that its problem's `kernels` names."""

    def __init__(self) -> None:
        """Prepares nothing yet."""
        self._replicas: WeakKeyDictionary[Stepper, _Replica] = WeakKeyDictionary()

    def advance(self, lanes: Sequence[Lane], steps: int) -> list[Lane]:
        """See `Engine.advance`."""
        return [self._replica(lane.stepper).advance(lane, steps) for lane in lanes]

    def _replica(self, stepper: Stepper) -> "_Replica":
        if stepper not in self._replicas:
            self._replicas[stepper] = _Replica()
        return self._replicas[stepper]


class _Replica:
    """One run's copy of the network, kept while the masks stay what they are."""

    def __init__(self) -> None:
        self._masks: object = None
        self._held: object = None
        self._network: Tailored | None = None
        self._chain: Chain | None = None
        self._links: dict[int, Links] = {}
        self._work: WorkingSet | None = None
        self._all: tuple[Tailored, tuple[Tensor, Tensor]] | None = None

    def advance(self, lane: Lane, steps: int) -> Lane:
        stepper, state, program = lane.stepper, lane.state, lane.stepper.program
        network, kernels = self._tailored(stepper, state), program.problem.kernels
        work = WorkingSet(network, program.optimizer, state, stepper.keep(state), fused=kernels.fused)
        with drawing(lane.running.device, 0), flushing(wanted=kernels.flushed):
            return self._in_series(lane, work, steps) or self._one_by_one(lane, work, steps)

    def _one_by_one(self, lane: Lane, work: WorkingSet, steps: int) -> Lane:
        stepper, state, running = lane.stepper, lane.state, lane.running
        program = stepper.program
        watchers = [(i, value) for i, value in enumerate(program.interventions) if value.observes]
        watches, epoch, memory = program.stop.watches, program.clock.epoch_steps, state.memory
        losses: list[Tensor] = []
        for done in range(steps):
            position = lane.local + done
            names = [value.needs(position) for _, value in watchers]
            before = clone(work.buffers()) if watches else {}
            wanted = frozenset().union(*names)
            x, y = self._batch(stepper, work.network, state.step + done, whole=bool(wanted))
            lr = program.schedule.at(state.schedule_step + done, program.clock)
            descent = None if watches else _descent(stepper, lr)
            loss, grads, captured = self._gradients(
                *(stepper, work, state.step + done, x, y, wanted), descent
            )
            if watches and program.stop.reached(loss.item()):
                moved = _state(work, state, done, before).replace(memory=memory)
                return lane.replace(state=moved, running=running, local=position, ended=True)
            work.update(grads, lr)
            running = loss if position % epoch == 0 else running + loss
            losses.append(loss)
            for (index, value), own in zip(watchers, names, strict=True):
                if own:
                    key = memory_key(index, value)
                    seen = value.observe(memory[key], {name: captured[name] for name in own})
                    memory = {**memory, key: seen}
        return _arrived(lane, work, losses, running, memory)

    def _in_series(self, lane: Lane, work: WorkingSet, steps: int) -> Lane | None:
        """The same with less between steps, where a chain's are taken and nobody looks at them; None elsewhere."""
        program, batches = lane.stepper.program, lane.stepper.batches
        watched = program.stop.watches or any(value.observes for value in program.interventions)
        if watched or program.problem.augmentation or batches.epoch_steps == 1:
            return None
        if self._chain is None or work.network is not self._network:
            return None
        first, inputs = lane.state.schedule_step, program.problem.train.inputs
        rates = (program.schedule.at(first + done, program.clock) for done in range(steps))
        descents = [one for one in (_descent(lane.stepper, lr) for lr in rates) if one is not None]
        # Such steps keep no moments, so nothing moves what the sparse layers leave out.
        if len(descents) < steps or work.network.columns_of(inputs, program.batch) is None:
            return None
        found: list[Tensor] = []
        done = 0
        while done < steps:
            rows, labels = batches.next_indices(lane.state.step + done, steps - done)
            columns = work.network.columns_of(inputs, rows.shape[1])
            assert columns is not None, "whatever the batch, the same layer reads it"
            series = Series(columns, self._linked(work, rows.shape[1]))
            found.append(series.run(rows, labels, descents[done : done + len(rows)]))
            done += len(rows)
        losses, running, epoch = torch.cat(found), lane.running.numpy()[()], program.clock.epoch_steps
        for position, loss in enumerate(losses.numpy(), start=lane.local):
            running = loss if position % epoch == 0 else running + loss
        return _arrived(lane, work, [*losses], torch.tensor(running), lane.state.memory)

    def _tailored(self, stepper: Stepper, state: TrainState) -> Tailored:
        """The network for a state's masks; made anew where an intervention exchanged them."""
        if self._network is None or self._masks is not state.weights.masks or self._held is not state.held:
            self._network = _made(stepper, state)
            self._chain = _chain(stepper, self._network, state)
            self._network.columns = stepper.program.problem.kernels.merged and self._chain is not None
            self._masks, self._held = state.weights.masks, state.held
        if self._network.takes(state.weights.params):
            return self._network
        return untailored(stepper.program.problem.model, train=True)

    def _gradients(
        self,
        stepper: Stepper,
        work: WorkingSet,
        step: int,
        x: Tensor,
        y: Tensor,
        names: frozenset[str],
        descent: Descent | None,
    ) -> tuple[Tensor, Tree, Tree]:
        """Mean loss, gradients by name, or none if the step `descent` has been taken, and captured outputs."""
        if self._chain is None or names or work.network is not self._network:
            reseed(x.device, stepper.draw(step))
            loss, grads, captured = gradients(stepper, work, x, y, names)
            return loss, work.named(grads), captured
        return *self._linked(work, len(y)).gradients(x, y, descent), {}

    def _linked(self, work: WorkingSet, count: int) -> Links:
        """The chain on the working set's tensors, for so many examples."""
        assert self._chain is not None
        if work is not self._work:
            self._links, self._work = {}, work
        if count not in self._links:
            self._links[count] = self._chain.on(work.params, work.keep, count)
        return self._links[count]

    def _batch(
        self, stepper: Stepper, network: Tailored, step: int, *, whole: bool = False
    ) -> tuple[Tensor, Tensor]:
        """whole: the network's inputs are looked at by others than its weights."""
        if stepper.program.problem.augmentation:
            x, y = stepper.batch(step)
            return network.laid(x), y
        if stepper.batches.epoch_steps > 1 or whole:
            return _taken(stepper, network, step, whole=whole)
        if self._all is None or self._all[0] is not network:
            self._all = network, _taken(stepper, network, step)
        return self._all[1]


def _made(stepper: Stepper, state: TrainState) -> Tailored:
    program, weights = stepper.program, state.weights
    problem = program.problem
    # What other products there are is float32's; where numbers lie, and which are there, is any precision's.
    kernels = problem.kernels if program.precision == "float32" else problem.kernels.layout
    made = tailored(
        problem.model,
        weights.params,
        weights.buffers,
        state.free if program.optimizer.elementwise else {},
        kernels,
        train=True,
        probe=problem.train.inputs.take(problem.train.index[:2]),
    )
    # Who observes outputs wants those of every unit.
    observed = any(value.observes for value in program.interventions)
    if program.optimizer.elementwise and not observed and is_worth_cutting(problem, weights):
        made = without_units(made, problem, weights, state.movable, problem.train)
    if made.compiled and not confirmed(stepper, made, state):
        made.compiled = None
    return made


def _chain(stepper: Stepper, network: Tailored, state: TrainState) -> Chain | None:
    problem = stepper.program.problem
    large = any(leaf.numel() >= problem.kernels.least for leaf in state.weights.params.values())
    if (
        problem.model.frozen
        or not problem.kernels.by_hand
        or not large
        or stepper.program.precision != "float32"
    ):
        return None
    return chain_of(network, problem.loss, least=problem.kernels.least)


def _descent(stepper: Stepper, lr: float | Tensor) -> Descent | None:
    """A step of the optimizer, if it is as simple as that and may be part of a product."""
    program = stepper.program
    if not program.problem.kernels.merged or isinstance(lr, Tensor):
        return None
    shrinkage = program.optimizer.shrinkage(lr)
    return None if shrinkage is None else Descent(lr, shrinkage)


def _taken(stepper: Stepper, network: Tailored, step: int, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    index, y = stepper.batches.indices(step)
    return network.inputs(stepper.program.problem.train.inputs, index, whole=whole), y


def _arrived(
    lane: Lane, work: WorkingSet, losses: list[Tensor], running: Tensor, memory: dict[str, Tree]
) -> Lane:
    """The lane after so many steps with these losses; the working set must not be used any more."""
    if not math.isfinite(running.item()):
        return lane.replace(failure=first_bad(losses, lane.local))
    moved = _state(work, lane.state, len(losses), work.buffers()).replace(memory=memory)
    return lane.replace(state=moved, running=running, local=lane.local + len(losses))


def _state(work: WorkingSet, state: TrainState, steps: int, buffers: Tree) -> TrainState:
    """The state so many steps on; the working set must not be used any more."""
    return state.replace(
        step=state.step + steps,
        schedule_step=state.schedule_step + steps,
        weights=work.weights(buffers, steps),
        opt=work.moments(),
    )
