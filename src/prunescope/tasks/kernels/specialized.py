"""A network's copy whose products suit its masks and the machine.

Belongs here: which layers are exchanged, tensors into and out of the copy, its input. Does not belong here: the
products (`products.py`), steps (`training/engines/`).
"""

import copy
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from prunescope.base.tree import Masks, Tree
from prunescope.tasks.data.source import InMemory, Inputs
from prunescope.tasks.functional import Place, fill, places_of
from prunescope.tasks.kernels.compiling import Pass
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.kernels.modules import SparseLinear
from prunescope.tasks.kernels.products import Columns, Pattern, pattern_of
from prunescope.tasks.model import Model

TOLERANCE = 1e-3
"""Relative to the larger outputs; what reads another weight is wrong by much more, rounding by much less."""


@dataclass
class Specialized:
    """A module on tensors that are not its own, some of them packed.

    patterns: of those weights of which only the kept values [nnz] are held, by name.
    changed: whether any layer was exchanged.
    format: in which order the numbers of images and filters lie in memory.
    compiled: what computes a training pass of this module, if something else than its own code does.
    columns: whether images are laid out as columns also for a first layer that reads all of them.
    """

    module: nn.Module
    patterns: dict[str, Pattern] = field(default_factory=dict)
    changed: bool = False
    format: torch.memory_format = torch.contiguous_format
    compiled: Pass | None = None
    columns: bool = False
    places: list[Place] = field(init=False)
    _read: dict[int, tuple[Inputs, Columns | None]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.places = places_of(self.module)

    def pack(self, tensors: Tree) -> Tree:
        """The parameters or buffers that the module takes; those that are not packed may be the very same."""
        return {name: self._packed(name, leaf) for name, leaf in tensors.items()}

    def _packed(self, name: str, leaf: Tensor) -> Tensor:
        if name in self.patterns:
            return self.patterns[name].pack(leaf)
        return self.laid(leaf)

    def laid(self, leaf: Tensor) -> Tensor:
        """A tensor in the order in which its numbers are used; the very same if it is so already."""
        return leaf.contiguous(memory_format=self.format) if leaf.ndim == 4 else leaf

    def unpack(self, tensors: Tree, onto: Tree | None = None) -> Tree:
        """The inverse of `pack`; a packed weight that is not there is what `onto` has there, or 0."""
        return {
            name: self.patterns[name].unpack(leaf, (onto or {}).get(name))
            if name in self.patterns
            else leaf.contiguous()
            for name, leaf in tensors.items()
        }

    def takes(self, params: Tree) -> bool:
        """Whether what `pack` leaves out of the parameters is 0."""
        return not any(pattern.leaves_out(params[name]) for name, pattern in self.patterns.items())

    def fill(self, tensors: Tree) -> None:
        """Puts packed parameters and buffers in their places."""
        fill(self.places, tensors)

    def inputs(self, inputs: Inputs, index: Tensor, *, whole: bool = False) -> Tensor:
        """The examples at `index`, [B, ...]; unless `whole`, numbers that no weight reads may be anything."""
        columns = None if whole else self.columns_of(inputs, len(index))
        if columns is None:
            return self.laid(inputs.take(index))
        return columns.read(index).t().view(len(index), *inputs.shape)

    def columns_of(self, inputs: Inputs, count: int) -> Columns | None:
        """What reads so many examples as columns, if the module's first layer wants them so."""
        if count not in self._read or self._read[count][0] is not inputs:
            self._read[count] = inputs, self._columns(inputs, count)
        return self._read[count][1]

    def _columns(self, inputs: Inputs, count: int) -> Columns | None:
        if self._first is None or not isinstance(inputs, InMemory) or not _plain(inputs.tensor):
            return None
        width, live = self._first
        examples = inputs.tensor.view(len(inputs.tensor), -1)
        if examples.shape[1] != width:
            return None
        return Columns(examples, live, torch.zeros(width, count))

    @cached_property
    def _first(self) -> tuple[int, Tensor] | None:
        """How many inputs there are, and which of them are read, int32, if only one layer reads them, as columns."""
        layer = self._reader
        if isinstance(layer, SparseLinear) and layer.pattern.making == "numba":
            return layer.pattern.shape[1], layer.pattern.live
        if self.columns and isinstance(layer, nn.Linear):
            width = layer.weight.shape[1]
            return width, torch.arange(width, dtype=torch.int32)
        return None

    @cached_property
    def _reader(self) -> nn.Module | None:
        """The one layer that reads the input, if that is known."""
        if type(self.module).forward is not nn.Sequential.forward:
            return None
        for layer in self.module.children():
            if type(layer) is not nn.Flatten:
                return layer
            if (layer.start_dim, layer.end_dim) != (1, -1):
                return None
        return None


def specialized(
    model: Model, params: Tree, buffers: Tree, free: Masks, kernels: Kernels, *, train: bool, probe: Tensor
) -> Specialized:
    """A copy of a model's module in which linear layers compute as `kernels` says.

    params: 0 wherever `free` is False. A layer whose mask has a density below the one at which sparse products pay is
    packed. probe: a few inputs, on which the copy is compared with the model; where they differ, because the
    network's code reads a weight itself, every layer stays as it is.
    """
    if kernels == PLAIN:
        return unspecialized(model, train=train)
    # Looked for before anything is copied: copying a large network costs more than evaluating it on a few examples.
    if not _exchangeable(model.template(train=train), params, free, kernels, train):
        return unspecialized(model, train=train)
    made = _exchanged(model.template(train=train), params, free, kernels, train)
    check = made if not train else _exchanged(model.template(train=False), params, free, kernels, train)
    if not _agrees(model, check, params, buffers, probe):
        return unspecialized(model, train=train)
    if (
        train
        and kernels.compiled
        and not _exchanges_linear(model.template(train=True), params, free, kernels, train)
    ):
        made.compiled = model.compiled
    return made


def unspecialized(model: Model, *, train: bool) -> Specialized:
    """A copy of a model's module in which every layer is what it was; for evaluation it is the module itself."""
    module = model.template(train=train)
    return Specialized(_copy(module) if train else module)


def _exchangeable(module: nn.Module, params: Tree, free: Masks, kernels: Kernels, train: bool) -> bool:
    """Whether any layer would be exchanged, images laid out anew, or the whole compiled."""
    if (kernels.channels_last or kernels.compiled) and has_large_filters(module, kernels.least):
        return True
    return _exchanges_linear(module, params, free, kernels, train)


def _exchanges_linear(module: nn.Module, params: Tree, free: Masks, kernels: Kernels, train: bool) -> bool:
    names = (_weight(prefix) for _, _, prefix, _ in _linear_layers(module))
    return any(_becomes_sparse(params[name], free.get(name), kernels, train) for name in names)


def _becomes_sparse(leaf: Tensor, mask: Tensor | None, kernels: Kernels, train: bool) -> bool:
    """Whether a linear layer with this weight and mask is to compute with its kept weights only, at least one."""
    if leaf.dtype != torch.float32 or leaf.device.type != "cpu" or leaf.numel() < kernels.least:
        return False
    if mask is None or kernels.sparse == "none":
        return False
    return 0 < int(mask.sum()) < kernels.below(leaf.numel(), train=train) * mask.numel()


def _weight(prefix: str) -> str:
    return f"{prefix}.weight" if prefix else "weight"


def _exchanged(module: nn.Module, params: Tree, free: Masks, kernels: Kernels, train: bool) -> Specialized:
    made = _copy(module)
    patterns: dict[str, Pattern] = {}
    images = kernels.channels_last and has_large_filters(made, kernels.least)
    changed = images
    for parent, key, prefix, layer in _linear_layers(made):
        name = _weight(prefix)
        if not _becomes_sparse(params[name], free.get(name), kernels, train):
            continue
        assert kernels.sparse != "none"
        patterns[name] = pattern_of(free[name], kernels.sparse)
        sparse = SparseLinear(layer, patterns[name])
        changed = True
        if parent is None:
            made = sparse
        else:
            parent._modules[key] = sparse
    return Specialized(made, patterns, changed, torch.channels_last if images else torch.contiguous_format)


def _linear_layers(module: nn.Module) -> list[tuple[nn.Module | None, str, str, nn.Linear]]:
    """(parent, key there, name, layer) of every plain linear layer whose weight no other layer shares."""
    uses = Counter(name for _, _, name in places_of(module))
    layers: list[tuple[nn.Module | None, str, str, nn.Linear]] = []
    for prefix, layer in module.named_modules():
        if type(layer) is not nn.Linear or layer._forward_hooks or layer._forward_pre_hooks:
            continue
        if uses[_weight(prefix)] == 1:
            path, _, key = prefix.rpartition(".")
            layers.append((module.get_submodule(path) if prefix else None, key, prefix, layer))
    return layers


def has_large_filters(module: nn.Module, least: int) -> bool:
    """Whether there is a convolution over images with so many weights."""
    filters = [part.weight.numel() for part in module.modules() if type(part) is nn.Conv2d]
    return max(filters, default=0) >= least


@torch.no_grad()
def _agrees(model: Model, made: Specialized, params: Tree, buffers: Tree, probe: Tensor) -> bool:
    expected, _ = model.apply(params, buffers, probe, train=False)
    made.fill({**made.pack(params), **buffers})
    try:
        outputs = made.module(probe)
    except Exception:  # whatever the network's own code does with a weight that is not there
        return False
    return outputs.shape == expected.shape and torch.allclose(
        outputs, expected, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )


def _copy(module: nn.Module) -> nn.Module:
    """A copy that shares the module's tensors until they are exchanged."""
    shared = {id(leaf): leaf for leaf in (*module.parameters(), *module.buffers())}
    # What fills the module's places may be no parameter but a plain tensor, which `parameters` leaves out.
    owned = [leaf for owner in module.modules() for leaf in owner._parameters.values() if leaf is not None]
    shared |= {id(leaf): leaf for leaf in owned}
    return copy.deepcopy(module, shared)


def _plain(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.is_contiguous()
