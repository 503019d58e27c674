"""One replica's tensors while an engine changes them in place, and the gradients of a step on them."""

from contextlib import nullcontext

import torch
from torch import Tensor

from prunescope.base.state import TrainState, Weights
from prunescope.base.tree import Tree, clone
from prunescope.tasks.functional import capturing
from prunescope.tasks.kernels.specialized import Specialized
from prunescope.training.loop import Stepper
from prunescope.training.optim import Optimizer, OptState

Found = tuple[Tensor, tuple[Tensor | None, ...], Tree]
"""Mean loss (0-D, nats), its gradients in the order of the working set, and captured outputs."""


class WorkingSet:
    """Parameters, buffers and optimizer state that nobody else holds; packed as the network takes them.

    params: leaves that ask for gradients.
    """

    def __init__(
        self, network: Specialized, optimizer: Optimizer, state: TrainState, keep: Tree, *, fused: bool = False
    ) -> None:
        """Copies everything. keep: float masks as `Optimizer.update` takes them. fused: as in `Kernels`."""
        self.network, self._begun = network, state.weights
        self._slots = [part for part in optimizer.slots if part in state.opt]
        self.params = {name: leaf.requires_grad_() for name, leaf in self._copied(state.weights.params).items()}
        self.opt: OptState = {
            part: self._copied(leaves) if part in self._slots else clone(leaves) for part, leaves in state.opt.items()
        }
        self.keep = network.pack({name: mask for name, mask in keep.items() if name not in network.patterns})
        self._rest = _Rest(network, optimizer, state, self._slots)
        network.fill({**self.params, **self._copied(state.weights.buffers)})
        self.leaves = list(self.params.values())
        self._update = optimizer.fused_ if fused else optimizer.update_

    def _copied(self, leaves: Tree) -> Tree:
        """Packed as the network takes them, in memory of their own."""
        packed = self.network.pack({name: leaf.detach() for name, leaf in leaves.items()})
        same = {name for name, leaf in packed.items() if leaf.data_ptr() == leaves[name].data_ptr()}
        return {name: leaf.clone() if name in same else leaf for name, leaf in packed.items()}

    @torch.no_grad()
    def update(self, grads: Tree, lr: float | Tensor) -> None:
        """One step along the gradients of all parameters."""
        self._update(grads, self.opt, self.params, keep=self.keep, lr=lr)
        self._rest.update(lr)

    def named(self, grads: tuple[Tensor | None, ...]) -> Tree:
        """Gradients in the order of `leaves` by name; None is a gradient of 0."""
        return {
            name: torch.zeros_like(leaf, requires_grad=False) if grad is None else grad
            for (name, leaf), grad in zip(self.params.items(), grads, strict=True)
        }

    def buffers(self) -> Tree:
        """The buffers as the passes so far have left them, packed; a module may have exchanged some."""
        tensors = {name: place[key] for place, key, name in self.network.places}
        return {name: tensors[name].detach() for name in self._begun.buffers}

    def weights(self, buffers: Tree) -> Weights:
        """The weights now, with these packed buffers. The working set is used up."""
        params = {name: leaf.detach() for name, leaf in self.params.items()}
        return Weights(self.network.unpack(params), self.network.unpack(buffers), self._begun.masks)

    def optimizer_state(self) -> OptState:
        """The optimizer state now."""
        return {
            part: self.network.unpack(leaves, self._rest.opt[part]) if part in self._slots else leaves
            for part, leaves in self.opt.items()
        }


class _Rest:
    """What packed tensors leave out: weights that are 0 and stay it, and their moments, which move by themselves.

    opt: optimizer state of full shape, of which only what is left out has a meaning.
    """

    def __init__(self, network: Specialized, optimizer: Optimizer, state: TrainState, slots: list[str]) -> None:
        self.optimizer = optimizer
        names = [name for name in state.weights.params if name in network.patterns] if slots else []
        self.opt: OptState = {
            part: {name: _outside(network, name, state.opt[part][name]) for name in names} for part in slots
        }
        self.opt |= {part: clone(leaves) for part, leaves in state.opt.items() if part not in slots}
        self.zeros = {name: torch.zeros_like(state.weights.params[name]) for name in names}
        self._moving = bool(names) and self._would_move(slots)

    def _would_move(self, slots: list[str]) -> bool:
        """Whether a step with any learning rate would change something, now or later."""
        opt = {part: clone(leaves) for part, leaves in self.opt.items()}
        self._step(opt, 1.0)
        return any(not torch.equal(opt[part][name], leaf) for part in slots for name, leaf in self.opt[part].items())

    def update(self, lr: float | Tensor) -> None:
        """One step."""
        if self._moving:
            self._step(self.opt, lr)

    def _step(self, opt: OptState, lr: float | Tensor) -> None:
        """Gradients, weights and masks are 0 here, so the weights are again."""
        self.optimizer.update_(self.zeros, opt, self.zeros, keep=self.zeros, lr=lr)


def _outside(network: Specialized, name: str, leaf: Tensor) -> Tensor:
    """A copy of a tensor with 0 in place of what the network takes."""
    packed = network.pack({name: leaf})
    return network.unpack({name: torch.zeros_like(packed[name])}, {name: leaf.detach()})[name]


def gradients(stepper: Stepper, work: WorkingSet, x: Tensor, y: Tensor, names: frozenset[str]) -> Found:
    """names: modules whose outputs are captured."""
    low = stepper.program.precision == "bfloat16"
    with (
        capturing(work.network.module, names) as captured,
        torch.autocast(x.device.type, torch.bfloat16) if low else nullcontext(),
    ):
        logits = work.network.module(x)
        loss = stepper.program.problem.loss(logits.float() if low else logits, y).mean()
    return loss.detach(), torch.autograd.grad(loss, work.leaves, allow_unused=True), captured
