"""One replica's tensors while an engine changes them in place.

Belongs here: into the working set and out again, the update inside. Does not belong here: gradients, batches (`lean.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import TrainState, Weights
from prunescope.base.tree import Tree, clone
from prunescope.tasks.kernels.tailored import Tailored
from prunescope.training.optim import Optimizer, OptState


class WorkingSet:
    """Parameters, buffers and optimizer state that nobody else holds; packed as the network takes them.

    params: leaves that ask for gradients.
    """

    def __init__(self, network: Tailored, optimizer: Optimizer, state: TrainState, keep: Tree) -> None:
        """Copies everything. keep: float masks as `Optimizer.update` takes them."""
        self.network, self.optimizer = network, optimizer
        weights, patterns = state.weights, network.patterns
        self.params = {
            name: (patterns[name].pack(leaf) if name in patterns else leaf.detach().clone()).requires_grad_()
            for name, leaf in weights.params.items()
        }
        self._packed = [part for part in optimizer.moments if part in state.opt]
        self.opt: OptState = {
            part: self._packed_clone(leaves) if part in self._packed else clone(leaves)
            for part, leaves in state.opt.items()
        }
        self.keep = {name: mask for name, mask in keep.items() if name not in patterns}
        self._removed = self._moments_of_removed(state.opt)
        network.fill({**self.params, **clone(weights.buffers)})
        self.buffer_names = tuple(weights.buffers)
        self.leaves = list(self.params.values())
        self._zeros: Tree = {}

    def _packed_clone(self, leaves: Tree) -> Tree:
        patterns = self.network.patterns
        return {
            name: patterns[name].pack(leaf) if name in patterns else leaf.clone()
            for name, leaf in leaves.items()
        }

    def _moments_of_removed(self, opt: OptState) -> "_Removed | None":
        """The moments that removed weights still have; they move on by themselves, as they do in a dense update."""
        full = {
            part: {name: leaf.clone() for name, leaf in opt[part].items() if name in self.network.patterns}
            for part in self._packed
        }
        for part, leaves in full.items():
            for name, leaf in leaves.items():
                if int(leaf.count_nonzero()) != int(self.opt[part][name].count_nonzero()):
                    others = {other: clone(opt[other]) for other in opt if other not in self._packed}
                    return _Removed(self.optimizer, full | others)
        return None

    @torch.no_grad()
    def update(self, grads: tuple[Tensor | None, ...], lr: float | Tensor) -> None:
        """One step along the gradients, in the order of `leaves`; None is a gradient of 0."""
        slopes = {
            name: self._zero(name) if grad is None else grad
            for name, grad in zip(self.params, grads, strict=True)
        }
        self.optimizer.update_(slopes, self.opt, self.params, keep=self.keep, lr=lr)
        if self._removed is not None:
            self._removed.update(lr)

    def _zero(self, name: str) -> Tensor:
        if name not in self._zeros:
            self._zeros[name] = torch.zeros_like(self.params[name], requires_grad=False)
        return self._zeros[name]

    def buffers(self) -> Tree:
        """The buffers as the passes so far have left them; a module may have exchanged some."""
        found = {name: place[key] for place, key, name in self.network.slots}
        return {name: found[name].detach() for name in self.buffer_names}

    def weights(self, masks: Tree, buffers: Tree) -> Weights:
        """The weights now. The working set must not be used any more."""
        params = {name: leaf.detach() for name, leaf in self.params.items()}
        return Weights(self.network.unpack(params), buffers, masks)

    def moments(self) -> OptState:
        """The optimizer state now."""
        removed = {} if self._removed is None else self._removed.opt
        return {
            part: self.network.unpack(leaves, removed.get(part)) if part in self._packed else leaves
            for part, leaves in self.opt.items()
        }


class _Removed:
    """Moments of weights that are removed: an update with no gradient that moves nothing."""

    def __init__(self, optimizer: Optimizer, opt: OptState) -> None:
        self.optimizer, self.opt = optimizer, opt
        some = next(opt[part] for part in optimizer.moments if part in opt)
        self.zeros = {name: torch.zeros_like(leaf) for name, leaf in some.items()}

    def update(self, lr: float | Tensor) -> None:
        params = clone(self.zeros)
        self.optimizer.update_(self.zeros, self.opt, params, keep=self.zeros, lr=lr)
