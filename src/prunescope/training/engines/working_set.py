"""One replica's tensors while an engine changes them in place.

Belongs here: into the working set and out again, the update inside. Does not belong here: gradients, batches
(`lean.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import TrainState, Weights
from prunescope.base.tree import Tree, clone
from prunescope.tasks.kernels.tailored import Tailored
from prunescope.training.optim import Optimizer, OptState


class WorkingSet:
    """Parameters, buffers and optimizer state that nobody else holds; packed as the network takes them.

    params: leaves that ask for gradients. tensors: these and the buffers.
    """

    def __init__(
        self, network: Tailored, optimizer: Optimizer, state: TrainState, keep: Tree, *, fused: bool = False
    ) -> None:
        """Copies everything. keep: float masks as `Optimizer.update` takes them. fused: as in `Kernels`."""
        self.network, self._begun = network, state.weights
        self._moments = [part for part in optimizer.slots if part in state.opt]
        self.params = {
            name: leaf.requires_grad_() for name, leaf in self._copied(state.weights.params).items()
        }
        self.opt: OptState = {
            part: self._copied(leaves) if part in self._moments else clone(leaves)
            for part, leaves in state.opt.items()
        }
        self.keep = network.pack({name: mask for name, mask in keep.items() if name not in network.patterns})
        self._rest = _Rest(network, optimizer, state, keep, self._moments)
        self.tensors = {**self.params, **self._copied(state.weights.buffers)}
        network.fill(self.tensors)
        self.leaves = list(self.params.values())
        self._zeros: Tree = {}
        self._update = optimizer.fused_ if fused else optimizer.update_

    def _copied(self, leaves: Tree) -> Tree:
        """Packed as the network takes them, in memory of their own."""
        packed = self.network.pack({name: leaf.detach() for name, leaf in leaves.items()})
        same = {name for name, leaf in packed.items() if leaf.data_ptr() == leaves[name].data_ptr()}
        return {name: leaf.clone() if name in same else leaf for name, leaf in packed.items()}

    @torch.no_grad()
    def update(self, grads: Tree, lr: float | Tensor) -> None:
        """One step along the gradients of all parameters; where there are none, these have taken it already."""
        if grads:
            self._update(grads, self.opt, self.params, keep=self.keep, lr=lr)
        self._rest.update(lr)

    def named(self, grads: tuple[Tensor | None, ...]) -> Tree:
        """Gradients in the order of `leaves` by name; None is a gradient of 0."""
        return {
            name: self._zero(name) if grad is None else grad
            for name, grad in zip(self.params, grads, strict=True)
        }

    def _zero(self, name: str) -> Tensor:
        if name not in self._zeros:
            self._zeros[name] = torch.zeros_like(self.params[name], requires_grad=False)
        return self._zeros[name]

    def buffers(self) -> Tree:
        """The buffers as the passes so far have left them, packed; a module may have exchanged some."""
        found = {name: place[key] for place, key, name in self.network.places}
        return {name: found[name].detach() for name in self._begun.buffers}

    def weights(self, buffers: Tree, passes: int) -> Weights:
        """The weights now, with these packed buffers, after so many passes. The working set is used up."""
        params = {name: leaf.detach() for name, leaf in self.params.items()}
        onto = {
            name: self._begun.buffers[name] * decay**passes for name, decay in self.network.decays.items()
        }
        return Weights(
            self.network.unpack(params, self._rest.params),
            self.network.unpack(buffers, onto),
            self._begun.masks,
        )

    def moments(self) -> OptState:
        """The optimizer state now."""
        return {
            part: self.network.unpack(leaves, self._rest.opt[part]) if part in self._moments else leaves
            for part, leaves in self.opt.items()
        }


class _Rest:
    """What is not in the working set of packed tensors: its gradient is 0, so it moves by decay and momentum alone.

    params, opt: tensors of full shape, of which only what is left out has a meaning.
    """

    def __init__(
        self, network: Tailored, optimizer: Optimizer, state: TrainState, keep: Tree, moments: list[str]
    ) -> None:
        self.optimizer = optimizer
        names = [name for name in state.weights.params if name in network.patterns or name in network.cuts]
        if not moments and not network.cuts:  # removed weights that nothing moves: they are 0 and stay it
            names = []
        # Removed weights are 0; a unit's other parameters are whatever they are.
        whole = {name: state.weights.params[name] for name in names}
        self.params = {
            name: _outside(network, name, leaf) for name, leaf in whole.items() if name in network.cuts
        }
        self.opt: OptState = {
            part: {name: _outside(network, name, state.opt[part][name]) for name in names} for part in moments
        }
        self.opt |= {part: clone(leaves) for part, leaves in state.opt.items() if part not in moments}
        self.keep = {
            name: torch.zeros_like(leaf) if name in network.patterns else keep[name]
            for name, leaf in whole.items()
            if name in network.patterns or name in keep
        }
        self.zeros = {name: torch.zeros_like(leaf) for name, leaf in whole.items()}
        self._moving = bool(names) and self._would_move(moments)

    def _would_move(self, moments: list[str]) -> bool:
        """Whether a step with any learning rate would change something, now or later."""
        params, opt = (
            self._all(clone(self.params)),
            {part: clone(leaves) for part, leaves in self.opt.items()},
        )
        self.optimizer.update_(self.zeros, opt, params, keep=self.keep, lr=1.0)
        same = all(torch.equal(params[name], leaf) for name, leaf in self._all(self.params).items())
        return not same or any(
            not torch.equal(opt[part][name], leaf)
            for part in moments
            for name, leaf in self.opt[part].items()
        )

    def _all(self, params: Tree) -> Tree:
        return {name: params.get(name, zero) for name, zero in self.zeros.items()}

    def update(self, lr: float | Tensor) -> None:
        """One step."""
        if self._moving:
            self.optimizer.update_(self.zeros, self.opt, self._all(self.params), keep=self.keep, lr=lr)


def _outside(network: Tailored, name: str, leaf: Tensor) -> Tensor:
    """A copy of a tensor with 0 in place of what the network takes."""
    packed = network.pack({name: leaf})
    return network.unpack({name: torch.zeros_like(packed[name])}, {name: leaf.detach()})[name]
