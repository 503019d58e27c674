"""Any `nn.Module` as pure functions of its tensors.

Belongs here: applying a network, knowing which of its tensors train and which are prunable. Does not belong here:
naming and building it (`network.py`), the networks of this package (`nets/`), training.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.importing import resolve as resolve
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.structure import Structure
from prunescope.sparsity.unit_search import find_units
from prunescope.tasks.building import copied, frozen_parts
from prunescope.tasks.functional import capturing, drawing, fill, places_of
from prunescope.tasks.network import Network as Network
from prunescope.tasks.network import network as network
from prunescope.tasks.network import network_of as network_of
from prunescope.tasks.prunable import sort_tensors


class Model:
    """A network as pure functions over trees.

    It keeps one copy of the module in training mode and one in evaluation mode, whose own tensors are not used after
    construction. A network that draws while it trains (dropout) draws from torch's default generators, which a
    training pass seeds and then restores.

    parameters: by name, without values: for their shapes.
    """

    def __init__(self, network: Network, example: Any = None) -> None:
        """Builds the module once, without touching the global random state.

        example: a batch of inputs, for lazy layers and for matrices of the user's own layers.

        Raises UsageError for a network without a trainable parameter, and for a named tensor that is not prunable.
        """
        self.network, self.example = network, example
        with torch.random.fork_rng(devices=[]):
            self._train = network.build(example)
            self._check_fresh(None if network.code is None else network.build(example))
        leaves = dict(self._train.named_parameters())
        self.frozen = frozenset(name for name, leaf in leaves.items() if not leaf.requires_grad)
        if len(self.frozen) == len(leaves):
            raise UsageError(
                f"{network.path} has no trainable parameter ({len(leaves)} are frozen); set requires_grad of some"
            )
        self.parameters = {
            name: torch.empty_like(leaf, device="meta") for name, leaf in leaves.items() if name not in self.frozen
        }
        self.tensors = sort_tensors(self._train, network.prunable, example)
        self.evaluating = frozen_parts(self._train)
        self._eval = copied(self._train).eval()
        self._train_places, self._eval_places = places_of(self._train), places_of(self._eval)

    def _check_fresh(self, again: nn.Module | None) -> None:
        """Raises UsageError where a factory returns the same tensors once more: runs would write over each other."""
        known = {id(leaf) for leaf in (*self._train.parameters(), *self._train.buffers())}
        if again is not None and any(id(leaf) in known for leaf in (*again.parameters(), *again.buffers())):
            raise UsageError(
                f"{self.network.path} returns the same module, or parts of it, at every call; build all of it anew at "
                "each call, or give the module itself, whose weights then start every replicate"
            )

    def copy(self) -> "Model":
        """The same network with modules that nobody else fills, whatever the last pass left in those of this one."""
        return Model(self.network, self.example)

    @cached_property
    def maskable(self) -> frozenset[str]:
        """Names of the prunable tensors, which have masks; see `prunable.py`."""
        return frozenset(self.tensors.prunable)

    @cached_property
    def linear_and_convolutions(self) -> frozenset[str]:
        """Names of the weights of linear layers and convolutions, which alone were prunable in stores of before."""
        return frozenset(
            f"{prefix}.weight".removeprefix(".")
            for prefix, module in self._train.named_modules()
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        )

    @cached_property
    def structure(self) -> Structure:
        """The units that can be removed. Raises UsageError where the network's pass cannot be followed."""
        with torch.random.fork_rng(devices=[]):
            module = self.network.build(self.example)
            found = find_units(module, self.example, keep_values=self.network.layout is not None)
        return found.restricted(self.maskable, self.frozen)

    def template(self, *, train: bool) -> nn.Module:
        """The module in training or evaluation mode, to inspect or to copy; its tensors are those of the last pass."""
        return self._train if train else self._eval

    def init(self, seed: int) -> tuple[Tree, Tree]:
        """The (params, buffers) of `fresh`."""
        weights = self.fresh(seed)
        return weights.params, weights.buffers

    def fresh(self, seed: int) -> Weights:
        """Fresh weights under `seed`, as the constructor of the module draws them; frozen parameters are buffers.

        Masks are True but for what torch.nn.utils.prune has pruned, and for zeros of a given instance: entries that are
        0 in a matrix with others that are not. The constructor may only draw from torch's default generator, whose
        state is restored afterwards.

        Raises UsageError for a module that was pruned where this network has nothing prunable.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            module, pruned = self.network.build_masked(self.example)
        if lost := sorted(pruned.keys() - self.maskable - self.frozen):
            raise UsageError(
                f"{', '.join(lost)} of {self.network.path} was pruned by torch.nn.utils.prune and is not prunable "
                "here; call prune.remove() there, or name it with prunable="
            )
        params, buffers = self._tensors_of(module)
        masks = {
            name: pruned.get(name, self._given_mask(leaf)) for name, leaf in params.items() if name in self.maskable
        }
        return Weights(params, buffers, masks)

    def loaded(self, tensors: Mapping[str, Tensor]) -> Weights:
        """A state dict that has the network's names and shapes as weights, all of them kept.

        Tensors that it lacks are those of a fresh module; see `fitting.misfits`.
        """
        with torch.random.fork_rng(devices=[]):
            module = self.network.build(self.example)
        module.load_state_dict(tensors, strict=False)
        params, buffers = self._tensors_of(module)
        buffers |= {
            name: tensors[name].clone() for name in buffers.keys() & tensors.keys()
        }  # those not persistent, too
        return Weights(
            params, buffers, {name: torch.ones_like(params[name], dtype=torch.bool) for name in self.maskable}
        )

    @cached_property
    def drawn_buffers(self) -> frozenset[str]:
        """Names of the buffers that no state dict has (persistent=False) and that depend on the seed."""
        (one, other), saved = (self.fresh(seed).buffers for seed in (0, 1)), self._eval.state_dict().keys()
        return frozenset(name for name, leaf in one.items() if name not in saved and not leaf.equal(other[name]))

    def _tensors_of(self, module: nn.Module) -> tuple[Tree, Tree]:
        """Copies of a module's trainable parameters, and of all its other tensors."""
        leaves = tree.clone(dict(module.named_parameters()))
        frozen = {name: leaves.pop(name) for name in list(leaves) if name in self.frozen}
        return leaves, tree.clone(dict(module.named_buffers())) | frozen

    def _given_mask(self, leaf: Tensor) -> Tensor:
        kept = leaf != 0
        return kept if self.network.given and bool(kept.any()) else torch.ones_like(kept)

    def apply(self, params: Tree, buffers: Tree, x: Tensor, *, train: bool, draw: int = 0) -> tuple[Tensor, Tree]:
        """The logits [B, C] of inputs x [B, ...], and the buffers after the pass.

        With `train=True` normalization uses batch statistics, and the returned buffers have updated running
        statistics; `buffers` itself is not changed. With `train=False` the same buffers are returned.

        draw: seed of the draws of the network in training.
        """
        if not train:
            fill(self._eval_places, {**params, **buffers})
            return cast(Tensor, self._eval(x)), buffers
        fill(self._train_places, {**params, **{name: leaf.clone() for name, leaf in buffers.items()}})
        with drawing(x.device, draw):
            logits = cast(Tensor, self._train(x))
        # The module may have put a new tensor in the place of a buffer.
        updated = {name: store[key].detach() for store, key, name in self._train_places if name in buffers}
        return logits, {name: updated[name] for name in buffers}

    def observe(
        self, params: Tree, buffers: Tree, x: Tensor, *, names: frozenset[str], draw: int = 0
    ) -> tuple[Tensor, Tree, Tree]:
        """A training pass that also returns the outputs of the modules called `names`, detached.

        Raises UsageError for a name that is no module; the message lists those that are.
        """
        with capturing(self._train, names) as captured:
            logits, updated = self.apply(params, buffers, x, train=True, draw=draw)
        return logits, updated, captured

    def fingerprint(self, x: Tensor) -> dict[str, Any]:
        """What the code computes now, on the inputs x [B, ...] with the parameters of seed 0, in both modes.

        It is stored beside the first run of a network and compared on reuse, so that changed code is noticed.
        """
        params, buffers = self.init(0)
        with torch.no_grad():
            logits, _ = self.apply(params, buffers, x[:2], train=False)
            training, _ = self.apply(params, buffers, x, train=True)
        return {
            "shapes": {name: list(leaf.shape) for name, leaf in params.items()},
            "logits": [round(value, 6) for value in logits.flatten()[:20].tolist()],
            "training": [round(value, 6) for value in training.flatten()[:20].tolist()],
            "prunable": sorted(self.maskable),
            "frozen": sorted(self.frozen),
            "evaluating": list(self.evaluating),
        }
