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

from prunescope.base.tree import Masks, Tree, clone
from prunescope.tasks.building import Output
from prunescope.tasks.data.source import InMemory, Inputs
from prunescope.tasks.functional import Place, drawing, fill, places_of
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.kernels.products import Columns, Pattern, SparseLinear, pattern_of
from prunescope.tasks.model import Model

TOLERANCE = 1e-3
"""Relative to the larger outputs; what reads another weight is wrong by much more, rounding by much less."""


@dataclass
class Specialized:
    """A module on tensors that are not its own, some of them packed.

    patterns: of those weights of which only the kept values [nnz] are held, by name.
    format: in which order the numbers of images and filters lie in memory.
    columns: whether images are laid out as columns also for a first layer that reads all of them.
    """

    module: nn.Module
    patterns: dict[str, Pattern] = field(default_factory=dict)
    format: torch.memory_format = torch.contiguous_format
    columns: bool = False
    places: list[Place] = field(init=False)
    _read: dict[int, tuple[Inputs, Columns | None]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.places = places_of(self.module)

    def pack(self, tensors: Tree) -> Tree:
        """The parameters or buffers that the module takes; those that are not packed may be the very same."""
        return {
            name: self.patterns[name].pack(leaf) if name in self.patterns else self.laid(leaf)
            for name, leaf in tensors.items()
        }

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
        if self._first is None or not isinstance(inputs, InMemory):
            return None
        (width, live), x = self._first, inputs.tensor
        plain = x.dtype == torch.float32 and x.device.type == "cpu" and x.is_contiguous()
        if not plain or x.shape[1:].numel() != width:
            return None
        return Columns(x.view(len(x), width), live, torch.zeros(width, count))

    @cached_property
    def _first(self) -> tuple[int, Tensor] | None:
        """How many inputs there are, and which of them are read, int32, if only one layer reads them, as columns."""
        layers = list(self.module.children()) if is_sequence(self.module) else []
        while layers and is_flatten(layers[0]):
            layers.pop(0)
        layer = layers[0] if layers else None
        if isinstance(layer, SparseLinear):
            return layer.pattern.shape[1], layer.pattern.live
        if self.columns and isinstance(layer, nn.Linear):
            width = layer.weight.shape[1]
            return width, torch.arange(width, dtype=torch.int32)
        return None


def specialized(
    model: Model, params: Tree, buffers: Tree, free: Masks, kernels: Kernels, *, train: bool, probe: Tensor
) -> Specialized:
    """A copy of a model's module in which linear layers compute as `kernels` says.

    params: 0 wherever `free` is False. A layer whose mask has a density below the one at which sparse products pay is
    packed. probe: a few inputs, on which the copy is compared with the model; where they differ, because the
    network's code reads a weight itself, every layer stays as it is.
    """
    module = model.template(train=train)
    # Looked for before anything is copied: copying a large network costs more than evaluating it on a few examples.
    sparse = _sparse(module, params, free, kernels, train)
    images = kernels.channels_last and suits_channels_last(module, kernels.least)
    if not sparse and not images:
        return unspecialized(model, train=train)
    made = _exchanged(module, {name: pattern_of(free[name]) for name in sparse}, kernels)
    return made if _agrees(model, made, params, buffers, probe, train=train) else unspecialized(model, train=train)


def unspecialized(model: Model, *, train: bool) -> Specialized:
    """A copy of a model's module in which every layer is what it was; for evaluation it is the module itself."""
    module = model.template(train=train)
    return Specialized(_copy(module) if train else module)


def _sparse(module: nn.Module, params: Tree, free: Masks, kernels: Kernels, train: bool) -> list[str]:
    """The weights of linear layers that are to compute with kept weights only, at least one.

    A frozen layer has no weight among the parameters.
    """
    if kernels.sparse == "none":
        return []
    names, below = [], kernels.train_below if train else kernels.evaluate_below
    for name in _linear_layers(module):
        leaf, mask = params.get(name), free.get(name)
        if leaf is None or mask is None or leaf.dtype != torch.float32 or leaf.device.type != "cpu":
            continue
        if leaf.numel() >= kernels.least and 0 < int(mask.sum()) < below * mask.numel():
            names.append(name)
    return names


def _exchanged(module: nn.Module, patterns: dict[str, Pattern], kernels: Kernels) -> Specialized:
    made = _copy(module)
    images = kernels.channels_last and suits_channels_last(made, kernels.least)
    layers = _linear_layers(made)
    for name, pattern in patterns.items():
        path, layer = layers[name]
        if path:
            made.set_submodule(path, SparseLinear(layer, pattern))
        else:
            made = SparseLinear(layer, pattern)
    return Specialized(made, patterns, torch.channels_last if images else torch.contiguous_format)


def _linear_layers(module: nn.Module) -> dict[str, tuple[str, nn.Linear]]:
    """Path and layer of every plain linear layer whose weight has one place, by the name of its weight."""
    named = list(module.named_modules(remove_duplicate=False))
    uses = Counter(id(leaf) for _, layer in named for leaf in layer._parameters.values())
    return {
        f"{path}.weight".removeprefix("."): (path, layer)
        for path, layer in named
        if type(layer) is nn.Linear and is_untouched(layer) and uses[id(layer.weight)] == 1
    }


def is_untouched(module: nn.Module) -> bool:
    """Whether calling a module does no more than the `forward` of its class: no hooks, nothing put over it.

    What names the member of an output that counts returns a tensor as it is.
    """
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooks = [hook for kind in kinds for hook in vars(module)[kind].values()]
    own = "forward" in vars(module) or type(module).__call__ is not nn.Module.__call__
    return not own and all(isinstance(hook, Output) for hook in hooks)


def is_sequence(module: nn.Module) -> bool:
    """Whether calling a module calls its parts one after the other, and no more."""
    return type(module).forward is nn.Sequential.forward and is_untouched(module)


def is_flatten(module: nn.Module) -> bool:
    """Whether a module makes vectors of examples, and no more."""
    return type(module) is nn.Flatten and is_untouched(module) and (module.start_dim, module.end_dim) == (1, -1)


def suits_channels_last(module: nn.Module, least: int) -> bool:
    """Whether images may lie channels last: a convolution has so many weights, and none is unsafe that way."""
    filters = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    most = max((part.weight.numel() for part in filters if type(part) is nn.Conv2d), default=0)
    return most >= least and not any(map(_is_unsafe, filters))


def _is_unsafe(part: nn.Conv2d) -> bool:
    """Whether torch 2.13 writes outside its memory in the backward pass, channels last, on a CPU without AVX-512."""
    return part.in_channels // part.groups < 8 and set(part.kernel_size) == {1} and max(part.stride) > 1


@torch.no_grad()
def _agrees(model: Model, made: Specialized, params: Tree, buffers: Tree, probe: Tensor, *, train: bool) -> bool:
    expected, _ = model.apply(params, buffers, probe, train=train)
    made.fill({**made.pack(params), **(clone(buffers) if train else buffers)})
    try:
        with drawing(probe.device, 0):
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
