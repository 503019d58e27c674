"""Several replicas while an engine changes them in place.

Belongs here: into the stack and out again, one step, members that leave. Does not belong here: which replicas stand
together (`training/engines/stack.py`), layers (`modules.py`).
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import TrainState, Weights
from prunescope.base.tree import Tree
from prunescope.tasks.kernels.products import pattern_of
from prunescope.training.engines.engine import Replica
from prunescope.training.engines.stacked.batches import StackedBatches
from prunescope.training.engines.stacked.forward import Forward
from prunescope.training.engines.stacked.modules import Patterns, without
from prunescope.training.loop import Stepper
from prunescope.training.moved import moved


class Stacked:
    """The tensors of R members with a leading axis R, held by nobody else.

    patterns: of those tensors that hold the weights that are there only, [R, M], by name.
    handed: the state of each member that was given out last: with the very same one the stack can go on.
    """

    def __init__(self, replicas: Sequence[Replica], forward: Forward, sparse: Sequence[str]) -> None:
        """Copies everything. sparse: names of the weights that are taken in a pattern."""
        states = [replica.state for replica in replicas]
        self.forward, self.program = forward, replicas[0].stepper.program
        self.masks = [replica.stepper.keep(replica.state) for replica in replicas]
        self.patterns: dict[str, Patterns] = {}
        layers = forward.linear()
        for name in sparse:
            self.patterns[name] = Patterns(tuple(pattern_of(state.free[name]) for state in states))
            layers[name].pattern = self.patterns[name]
        self.params = self._packed(tree.stack(state.weights.params for state in states))
        self.buffers = tree.stack(state.weights.buffers for state in states) if states[0].weights.buffers else {}
        slots = self.program.optimizer.slots
        self.opt = {
            part: self._packed(stacked) if part in slots else stacked
            for part in states[0].opt
            for stacked in [tree.stack(state.opt[part] for state in states)]
        }
        self.keep = self._kept(states)
        self.handed = list(states)
        self.batches = StackedBatches([replica.stepper for replica in replicas], [state.step for state in states])

    @property
    def steppers(self) -> list[Stepper]:
        """Who the members are, in the order of their rows."""
        return self.batches.steppers

    def _packed(self, stacked: Tree) -> Tree:
        return {
            name: self.patterns[name].values(leaf) if name in self.patterns else leaf for name, leaf in stacked.items()
        }

    def _kept(self, states: Sequence[TrainState]) -> Tree:
        """Float masks [R, ...] of the tensors of which a member has lost something."""
        names = {name for masks in self.masks for name in masks} - self.patterns.keys()
        params = states[0].weights.params
        return {
            name: torch.stack([masks.get(name, torch.ones_like(params[name])) for masks in self.masks])
            for name in sorted(names)
        }

    def losses(self) -> tuple[Tensor, list[Tensor]]:
        """The mean loss of every member's next batch, [R], nats, and leaves of its graph; moves on to that batch."""
        x, y = self.batches.next()
        low = self.program.precision == "bfloat16"
        draws = self.batches.draws() if self.forward.draws else []
        leaves = tree.leaves_of(self.params)
        with torch.autocast(x.device.type, torch.bfloat16) if low else nullcontext():
            logits, self._moved = self.forward.apply(leaves, self.buffers, x, draws)
            flat = logits.flatten(0, 1)
            each = self.program.problem.loss(flat.float() if low else flat, y.flatten(0, 1))
        return each.view(y.shape[:2]).mean(1), list(leaves.values())

    @torch.no_grad()
    def update(self, losses: Tensor, leaves: list[Tensor], lr: float | Tensor) -> None:
        """The step whose losses these are."""
        with torch.enable_grad():
            total = losses.sum()
        grads = tree.slope(total, dict(zip(self.params, leaves, strict=True)))
        if self.program.optimizer.stackable:
            self.program.optimizer.update_(grads, self.opt, self.params, keep=self.keep, lr=lr)
        else:
            self._update_each(grads, lr)
        self.buffers = self._moved

    def _update_each(self, grads: Tree, lr: float | Tensor) -> None:
        """The update of one member after the other, for a rule that looks at more than one number at a time."""
        states = []
        for row in range(len(self.steppers)):
            rate = float(lr[row]) if isinstance(lr, Tensor) else lr
            rows = [_row(part, row) for part in (grads, self.params, self.keep)]
            opt = {part: _row(leaves, row) for part, leaves in self.opt.items()}
            params, state = moved(self.program.optimizer, rows[0], opt, rows[1], keep=rows[2], lr=rate)
            for name, leaf in params.items():
                self.params[name][row].copy_(leaf)
            states.append(state)
        self.opt = {part: tree.stack(state[part] for state in states) for part in states[0]}

    def bytes(self) -> int:
        """Bytes of everything that is held during a step; takes the forward pass of one."""
        kept: dict[int, int] = {}

        def remember(leaf: Tensor) -> Tensor:
            kept[leaf.untyped_storage().data_ptr()] = leaf.untyped_storage().nbytes()
            return leaf

        with torch.autograd.graph.saved_tensors_hooks(remember, lambda leaf: leaf):
            self.losses()
        state = (self.params, self.buffers, *self.opt.values())
        # Here and in the members; and weights once more as gradients and as what the update makes of them.
        trees = (*state, *state, self.params, self.params, self.keep)
        held = [leaf for part in trees for leaf in part.values()] + list(self.batches.whole or ())
        return sum(kept.values()) + sum(leaf.numel() * leaf.element_size() for leaf in held)

    def state(self, row: int, before: TrainState, steps: int) -> TrainState:
        """The state of one member so many steps after `before`; shares no memory with the stack."""
        weights = before.weights
        params = self._unpacked(self.params, row)
        buffers = {name: leaf[row].clone() for name, leaf in self.buffers.items()}
        slots = self.program.optimizer.slots
        return before.replace(
            step=before.step + steps,
            schedule_step=before.schedule_step + steps,
            weights=Weights(params, buffers, weights.masks),
            opt={
                part: self._unpacked(leaves, row)
                if part in slots
                else {name: leaf[row].clone() for name, leaf in leaves.items()}
                for part, leaves in self.opt.items()
            },
        )

    def _unpacked(self, stacked: Tree, row: int) -> Tree:
        return {
            name: self.patterns[name].dense(leaf[row], row) if name in self.patterns else leaf[row].clone()
            for name, leaf in stacked.items()
        }

    @torch.no_grad()
    def drop(self, row: int) -> None:
        """Without a member, whose place the last one takes."""
        for part in (self.params, self.buffers, self.keep, *self.opt.values()):
            for name, leaf in part.items():
                part[name] = without(leaf, row)
        layers = self.forward.linear()
        for name, at in self.patterns.items():
            self.patterns[name] = layers[name].pattern = at.without(row)
        self.batches.drop(row)
        self.handed[row] = self.handed[-1]
        self.handed.pop()


def _row(stacked: Tree, row: int) -> Tree:
    return {name: leaf[row] for name, leaf in stacked.items()}
