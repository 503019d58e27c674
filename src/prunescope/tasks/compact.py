"""Networks without the units that are gone, with equal outputs, and networks whose layers were made narrower."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.structure import Part, Units, removed_units
from prunescope.tasks.functional import close
from prunescope.tasks.model import Model

_Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
_BatchNorm = nn.modules.batchnorm._BatchNorm


def resize(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Gives the layers of a module the shapes that tensors have; the names of the layers that became narrower.

    Linear layers, convolutions and batch normalization are changed, in place, with their tensors and attributes.

    Raises UsageError for a tensor that is no narrower one of such a layer.
    """
    changed = []
    for path, layer in module.named_modules():
        names = {key: f"{path}.{key}".removeprefix(".") for key in (*layer._parameters, *layer._buffers)}
        wanted = {key: tensors[name] for key, name in names.items() if name in tensors}
        if all(getattr(layer, key).shape == leaf.shape for key, leaf in wanted.items()):
            continue
        for key, leaf in wanted.items():
            old = getattr(layer, key)
            if leaf.ndim != old.ndim or any(new > before for new, before in zip(leaf.shape, old.shape, strict=True)):
                raise UsageError(f"{names[key]} is {list(leaf.shape)}, which is no part of {list(old.shape)}")
            empty = torch.zeros(leaf.shape, dtype=old.dtype)
            is_parameter = isinstance(old, nn.Parameter)
            setattr(layer, key, nn.Parameter(empty, requires_grad=old.requires_grad) if is_parameter else empty)
        _tell(layer, path)
        changed.append(path)
    return changed


def _tell(layer: nn.Module, path: str) -> None:
    """Makes the attributes of a layer say what the shapes of its tensors say."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, _Conv | _Transposed):
        ends = (layer.weight.shape[0], layer.weight.shape[1])
        if layer.groups == layer.in_channels > 1:  # one group a channel
            layer.groups = ends[0]
        outer = ends[1] * layer.groups
        transposed = isinstance(layer, _Transposed)
        layer.in_channels, layer.out_channels = (ends[0], outer) if transposed else (outer, ends[0])
    elif isinstance(layer, _BatchNorm) and layer.running_mean is not None:
        layer.num_features = len(layer.running_mean)
    else:
        raise UsageError(f"{path} is a {type(layer).__name__}, which is not made narrower by itself")


CLOSE = 1e-5
"""Outputs are equal if they differ by no more than this, relative to the largest."""


@dataclass(frozen=True)
class Compact:
    """A smaller network.

    module: in evaluation mode.
    removed: how many units of each layer it lacks.
    kept: why the units of other layers that are gone are still there, at 0.
    """

    module: nn.Module
    removed: dict[str, int]
    kept: dict[str, str] = field(default_factory=dict)


def module_of(model: Model, weights: Weights) -> nn.Module:
    """The network with these weights, in evaluation mode, as a module of its own."""
    module = copy.deepcopy(model.template(train=False))
    _put(module, {**weights.params, **weights.buffers})
    return module


def compact(model: Model, weights: Weights, x: Tensor) -> Compact:
    """The network without the units whose weights, biases, gammas and betas are all 0.

    Channels of a shared stream (behind gates) stay, since other layers add to them.

    x: examples [B, ...]; a layer of which outputs on these change by more than rounding keeps its units.

    Raises UsageError where no unit is gone, with what pruning left, and where units cannot be found.
    """
    whole, tensors = module_of(model, weights), {**weights.params, **weights.buffers}
    structure = model.structure
    gone, kept = {}, {}
    for layer, units in structure.units.items():
        if bool((dead := _gone(tensors, weights, units)).any()):
            if why := _why_not(tensors, units):
                kept[layer] = why
            else:
                gone[layer] = dead
    if not gone:
        reasons = "; ".join(f"{layer}: {why}" for layer, why in (kept or structure.others).items())
        raise UsageError(
            f"{model.network.path} has no unit that can be left out: pruning single weights seldom empties a filter"
            f"{f' ({reasons})' if reasons else ''}; export it as it is, with its zeros"
        )
    same = _same_outputs(whole, x)

    def without(layers: Iterable[str]) -> nn.Module | None:
        try:
            module = copy.deepcopy(whole)
            smaller = _sliced(tensors, [(structure.units[layer], gone[layer]) for layer in layers])
            resize(module, smaller)
            _put(module, smaller)
            return module if same(module) else None
        except Exception:  # the user's forward pass may need the widths that are gone
            return None

    module, taken = without(gone), list(gone)
    if module is None:
        module, taken = whole, []
        for layer in gone:
            if (smaller := without([*taken, layer])) is not None:
                module, taken = smaller, [*taken, layer]
            else:
                kept[layer] = "the network computes with its width"
    return Compact(module, {layer: int(gone[layer].sum()) for layer in taken}, kept)


def _put(module: nn.Module, tensors: Tree) -> None:
    leaves = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name, leaf in tree.clone(tensors).items():
        leaves[name].data = leaf


def _gone(tensors: Tree, weights: Weights, units: Units) -> Tensor:
    """Bool [N]: the units of which nothing is left, but for one where that is all of them."""
    gone = removed_units(weights.masks, units)
    for part in units.dying(normalization_follows=True):
        rows = (tensors[part.name] != 0).movedim(part.axis, 0).reshape(len(part.units), -1).any(1)
        places = torch.tensor(part.units)
        gone[places[rows & (places >= 0)]] = False
    if bool(gone.all()):
        gone[0] = False
    return gone


def _why_not(tensors: Tree, units: Units) -> str:
    if units.gate:
        return f"other layers add to its channels, behind {units.gate}"
    mixed = [part.name for part in units.readers if _grouped(part, tensors) and tensors[part.name].shape[1] > 1]
    return f"{mixed[0]} reads it in groups" if mixed else ""


def _grouped(part: Part, tensors: Tree) -> bool:
    """Whether the columns of a reader are those of several groups."""
    return len(part.units) != tensors[part.name].shape[part.axis]


def _sliced(tensors: Tree, pairs: Iterable[tuple[Units, Tensor]]) -> Tree:
    drop: dict[tuple[str, int], Tensor] = {}
    for units, gone in pairs:
        # A depthwise convolution loses its columns with its rows.
        readers = [part for part in units.readers if not _grouped(part, tensors)]
        for part in (*units.dying(normalization_follows=True), *units.statistics, *readers):
            places = part.where(gone)
            drop[part.name, part.axis] = drop.get((part.name, part.axis), torch.zeros_like(places)) | places
    smaller = dict(tensors)
    for (name, axis), places in drop.items():
        smaller[name] = smaller[name].index_select(axis, (~places).nonzero().flatten())
    return smaller


def _same_outputs(whole: nn.Module, x: Tensor) -> Callable[[nn.Module], bool]:
    with torch.no_grad():
        wanted = whole(x)
        if not isinstance(wanted, Tensor):
            raise UsageError(f"{type(whole).__name__} returns {type(wanted).__name__}; name its logits with output=")

    def same(module: nn.Module) -> bool:
        with torch.no_grad():
            outputs = module(x)
        return close(outputs, wanted, CLOSE)

    return same
