"""The engine of one CPU core: steps in place, products that suit the masks.

Belongs here: taking several steps of one replica fast. Does not belong here: what a step is (`training/loop.py`), its
tensors (`working_set.py`), the products (`tasks/kernels/`).

Within one `advance` a replica's tensors live in a working set that nobody else holds and are changed in place. Where
no layer is exchanged, results are bitwise those of `Loop`; where some are, they differ by rounding.
"""

import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from torch import Tensor

from prunescope.base.state import TrainState
from prunescope.base.tree import Tree, clone
from prunescope.tasks.functional import drawing, reseed
from prunescope.tasks.kernels.cutting import is_worth_cutting, without_units
from prunescope.tasks.kernels.flushing import flushing
from prunescope.tasks.kernels.tailored import Tailored, tailored, untailored
from prunescope.training.engines.chain import Chain, Links, chain_of
from prunescope.training.engines.engine import Lane
from prunescope.training.engines.gradients import Found, confirmed, gradients
from prunescope.training.engines.loop import first_bad
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
        self._linked: WorkingSet | None = None
        self._all: tuple[Tailored, tuple[Tensor, Tensor]] | None = None

    def advance(self, lane: Lane, steps: int) -> Lane:
        stepper, state, running = lane.stepper, lane.state, lane.running
        program, network = stepper.program, self._tailored(lane.stepper, lane.state)
        kernels = program.problem.kernels
        work = WorkingSet(network, program.optimizer, state, stepper.keep(state), fused=kernels.fused)
        watchers = [(i, value) for i, value in enumerate(program.interventions) if value.observes]
        watches, epoch, memory = program.stop.watches, program.clock.epoch_steps, state.memory
        losses: list[Tensor] = []
        device, done = running.device, 0
        with drawing(device, 0), flushing(wanted=kernels.flushed):
            for done in range(steps):
                position = lane.local + done
                names = [value.needs(position) for _, value in watchers]
                before = clone(work.buffers()) if watches else {}
                wanted = frozenset().union(*names)
                x, y = self._batch(stepper, network, state.step + done, whole=bool(wanted))
                loss, grads, captured = self._gradients(stepper, work, state.step + done, x, y, wanted)
                if watches and program.stop.reached(loss.item()):
                    moved = _state(work, state, done, before).replace(memory=memory)
                    return lane.replace(state=moved, running=running, local=position, ended=True)
                work.update(grads, program.schedule.at(state.schedule_step + done, program.clock))
                running = loss if position % epoch == 0 else running + loss
                losses.append(loss)
                for (index, value), own in zip(watchers, names, strict=True):
                    if own:
                        key = memory_key(index, value)
                        seen = value.observe(memory[key], {name: captured[name] for name in own})
                        memory = {**memory, key: seen}
        if not math.isfinite(running.item()):
            return lane.replace(failure=first_bad(losses, lane.local))
        moved = _state(work, state, steps, work.buffers()).replace(memory=memory)
        return lane.replace(state=moved, running=running, local=lane.local + steps)

    def _tailored(self, stepper: Stepper, state: TrainState) -> Tailored:
        """The network for a state's masks; made anew where an intervention exchanged them."""
        if self._network is None or self._masks is not state.weights.masks or self._held is not state.held:
            self._network = _made(stepper, state)
            self._chain = _chain(stepper, self._network, state)
            self._masks, self._held = state.weights.masks, state.held
        if self._network.takes(state.weights.params):
            return self._network
        return untailored(stepper.program.problem.model, train=True)

    def _gradients(
        self, stepper: Stepper, work: WorkingSet, step: int, x: Tensor, y: Tensor, names: frozenset[str]
    ) -> Found:
        if self._chain is None or names or work.network is not self._network:
            reseed(x.device, stepper.draw(step))
            return gradients(stepper, work, x, y, names)
        if work is not self._linked:
            self._links, self._linked = {}, work
        links = self._links.get(count := len(y))
        if links is None:
            links = self._links[count] = self._chain.on(work.params, count)
        loss, found = links.gradients(x, y)
        return loss, tuple(found.get(name) for name in work.params), {}

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
    if not problem.kernels.by_hand or not large or stepper.program.precision != "float32":
        return None
    return chain_of(network, problem.loss, least=problem.kernels.least)


def _taken(stepper: Stepper, network: Tailored, step: int, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    split, rows = stepper.program.problem.train, stepper.batches.rows(step)
    x = network.inputs(split.inputs, split.index.index_select(0, rows), whole=whole)
    return x, split.y.index_select(0, rows)


def _state(work: WorkingSet, state: TrainState, steps: int, buffers: Tree) -> TrainState:
    """The state so many steps on; the working set must not be used any more."""
    return state.replace(
        step=state.step + steps,
        schedule_step=state.schedule_step + steps,
        weights=work.weights(buffers, steps),
        opt=work.moments(),
    )
