"""The engine of one CPU core: steps in place, products that suit the masks.

Belongs here: taking several steps of one replica fast. Does not belong here: what a step is (`training/loop.py`), its
tensors (`working_set.py`), multi-layer perceptrons (`mlp.py`), the products (`tasks/kernels/`).

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
from prunescope.tasks.kernels.flushing import flushing
from prunescope.tasks.kernels.specialized import Specialized, specialized, unspecialized
from prunescope.training.engines.engine import Replica, diverged, needed, observed
from prunescope.training.engines.mlp import BoundMlp, Mlp, mlp_of
from prunescope.training.engines.mlp_layers import Descent
from prunescope.training.engines.working_set import WorkingSet, gradients
from prunescope.training.loop import Stepper


class InPlace:
    """Steps in place, for every replica by itself, with the products that its problem's `kernels` names."""

    def __init__(self) -> None:
        self._trainers: WeakKeyDictionary[Stepper, _Trainer] = WeakKeyDictionary()

    def advance(self, replicas: Sequence[Replica], steps: int) -> list[Replica]:
        """See `Engine.advance`."""
        return [self._trainers.setdefault(each.stepper, _Trainer()).advance(each, steps) for each in replicas]


class _Trainer:
    """One run's copy of the network, kept while the masks stay what they are."""

    def __init__(self) -> None:
        self._keep: Tree | None = None
        self._network: Specialized | None = None
        self._mlp: Mlp | None = None
        self._bound: dict[int, BoundMlp] = {}
        self._work: WorkingSet | None = None
        self._all: tuple[Specialized, tuple[Tensor, Tensor]] | None = None

    def advance(self, replica: Replica, steps: int) -> Replica:
        stepper, state, program = replica.stepper, replica.state, replica.stepper.program
        network, kernels = self._specialized(stepper, state), program.problem.kernels
        work = WorkingSet(network, program.optimizer, state, stepper.keep(state), fused=kernels.fused)
        with drawing(replica.running.device, 0), flushing(wanted=kernels.flushed):
            return self._in_series(replica, work, steps) or self._one_by_one(replica, work, steps)

    def _one_by_one(self, replica: Replica, work: WorkingSet, steps: int) -> Replica:
        stepper, state, running = replica.stepper, replica.state, replica.running
        program, memory = stepper.program, state.memory
        losses: list[Tensor] = []
        for done in range(steps):
            position = replica.local + done
            needs = needed(program, position)
            names = frozenset().union(*needs.values())
            before = clone(work.buffers()) if program.stop.watches else {}
            x, y = self._batch(stepper, work.network, state.step + done, whole=bool(names))
            loss, grads, captured = self._gradients(stepper, work, state.step + done, x, y, names)
            if program.stop.watches and program.stop.reached(loss.item()):
                moved = _state(work, state, done, before).replace(memory=memory)
                return replica.replace(state=moved, running=running, local=position, ended=True)
            work.update(grads, program.schedule.at(state.schedule_step + done, program.clock))
            running = loss if position % program.clock.epoch_steps == 0 else running + loss
            losses.append(loss)
            memory = observed(program, memory, needs, captured)
        return _arrived(replica, work, losses, running, memory)

    def _in_series(self, replica: Replica, work: WorkingSet, steps: int) -> Replica | None:
        """The same with less between steps, where a perceptron takes steps that nobody looks at; None elsewhere."""
        program, batches = replica.stepper.program, replica.stepper.batches
        watched = program.stop.watches or any(value.observes for value in program.interventions)
        if watched or program.problem.augmentation or batches.whole:
            return None
        if self._mlp is None or work.network is not self._network:
            return None
        first, inputs = replica.state.schedule_step, program.problem.train.inputs
        rates = (program.schedule.at(first + done, program.clock) for done in range(steps))
        descents = [step for step in (_descent(replica.stepper, rate) for rate in rates) if step is not None]
        # Such steps keep no moments, so nothing moves what the sparse layers leave out.
        if len(descents) < steps or work.network.columns_of(inputs, program.batch) is None:
            return None
        parts: list[Tensor] = []
        done = 0
        while done < steps:
            rows, labels = batches.next_indices(replica.state.step + done, steps - done)
            columns = work.network.columns_of(inputs, rows.shape[1])
            assert columns is not None, "whatever the batch, the same layer reads it"
            bound = self._bind(work, rows.shape[1])
            parts.append(bound.steps(columns, rows, labels, descents[done : done + len(rows)]))
            done += len(rows)
        losses, running, epoch = torch.cat(parts), replica.running.numpy()[()], program.clock.epoch_steps
        for position, loss in enumerate(losses.numpy(), start=replica.local):
            running = loss if position % epoch == 0 else running + loss
        return _arrived(replica, work, [*losses], torch.tensor(running), replica.state.memory)

    def _specialized(self, stepper: Stepper, state: TrainState) -> Specialized:
        """The network for a state's masks; made anew where an intervention exchanged them."""
        if self._network is None or self._keep is not stepper.keep(state):
            self._network = _made(stepper, state)
            self._mlp = _mlp(stepper, self._network, state)
            self._network.columns = stepper.program.problem.kernels.merged and self._mlp is not None
            self._keep = stepper.keep(state)
        if self._network.takes(state.weights.params):
            return self._network
        return unspecialized(stepper.program.problem.model, train=True)

    def _gradients(
        self, stepper: Stepper, work: WorkingSet, step: int, x: Tensor, y: Tensor, names: frozenset[str]
    ) -> tuple[Tensor, Tree, Tree]:
        """Mean loss, gradients by name, and captured outputs."""
        if self._mlp is None or names or work.network is not self._network:
            reseed(x.device, stepper.draw(step))
            loss, grads, captured = gradients(stepper, work, x, y, names)
            return loss, work.named(grads), captured
        return *self._bind(work, len(y)).gradients(x, y), {}

    def _bind(self, work: WorkingSet, count: int) -> BoundMlp:
        """The perceptron on the working set's tensors, for so many examples."""
        assert self._mlp is not None
        if work is not self._work:
            self._bound, self._work = {}, work
        if count not in self._bound:
            self._bound[count] = BoundMlp(self._mlp, work.params, work.keep, count)
        return self._bound[count]

    def _batch(
        self, stepper: Stepper, network: Specialized, step: int, *, whole: bool = False
    ) -> tuple[Tensor, Tensor]:
        """whole: the network's inputs are looked at by others than its weights."""
        if stepper.program.problem.augmentation:
            x, y = stepper.batch(step)
            return network.laid(x), y
        if not stepper.batches.whole or whole:
            return _taken(stepper, network, step, whole=whole)
        if self._all is None or self._all[0] is not network:
            self._all = network, _taken(stepper, network, step)
        return self._all[1]


def _made(stepper: Stepper, state: TrainState) -> Specialized:
    program, weights = stepper.program, state.weights
    problem = program.problem
    # What other products there are is float32's; where numbers lie, and which are there, is any precision's.
    kernels = problem.kernels if program.precision == "float32" else problem.kernels.layout
    return specialized(
        problem.model,
        weights.params,
        weights.buffers,
        state.free if program.optimizer.elementwise else {},
        kernels,
        train=True,
        probe=problem.train.inputs.take(problem.train.index[:2]),
    )


def _mlp(stepper: Stepper, network: Specialized, state: TrainState) -> Mlp | None:
    problem = stepper.program.problem
    large = any(leaf.numel() >= problem.kernels.least for leaf in state.weights.params.values())
    if problem.model.frozen or not problem.kernels.by_hand or not large or stepper.program.precision != "float32":
        return None
    return mlp_of(network, problem.loss, least=problem.kernels.least)


def _descent(stepper: Stepper, lr: float | Tensor) -> Descent | None:
    """A step of the optimizer, if it is as simple as that and may be part of a product."""
    program = stepper.program
    if not program.problem.kernels.merged or isinstance(lr, Tensor):
        return None
    shrinkage = program.optimizer.shrinkage(lr)
    return None if shrinkage is None else Descent(lr, shrinkage)


def _taken(stepper: Stepper, network: Specialized, step: int, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    index, y = stepper.batches.indices(step)
    return network.inputs(stepper.program.problem.train.inputs, index, whole=whole), y


def _arrived(
    replica: Replica, work: WorkingSet, losses: list[Tensor], running: Tensor, memory: dict[str, Tree]
) -> Replica:
    """The replica after so many steps with these losses; the working set must not be used any more."""
    if not math.isfinite(running.item()):
        return replica.replace(failure=diverged(losses, replica.local))
    moved = _state(work, replica.state, len(losses), work.buffers()).replace(memory=memory)
    return replica.replace(state=moved, running=running, local=replica.local + len(losses))


def _state(work: WorkingSet, state: TrainState, steps: int, buffers: Tree) -> TrainState:
    """The state so many steps on; the working set must not be used any more."""
    return state.replace(
        step=state.step + steps,
        schedule_step=state.schedule_step + steps,
        weights=work.weights(buffers),
        opt=work.optimizer_state(),
    )
