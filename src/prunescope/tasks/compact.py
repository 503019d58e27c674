"""A pruned network without the units that are gone: fewer filters and neurons, equal outputs."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.sparsity.structure import Part, Units, removed_units
from prunescope.tasks.model import Model
from prunescope.tasks.resizing import resize

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
        return torch.allclose(outputs, wanted, rtol=0, atol=CLOSE * float(wanted.abs().max()) + 1e-7)

    return same
