"""The units of a network, its filters, neurons and attention heads: where they are, and what dies with each of them.

Belongs here: what units are. Does not belong here: how they are found (`unit_search.py`), their scores
(`unit_scores.py`), the number of parameters that go with them (`unit_count.py`), when they are removed
(`training/interventions/`).

A unit is the smallest set of rows of weights without which columns of other weights read exactly 0. So these die with
unit c of a layer, and its output is 0, in training and in evaluation:

| what | how |
|---|---|
| weight[c] of the layer | its mask goes |
| bias[c] of the layer | 0, and held there |
| gamma[c] and beta[c] of the BatchNorms that follow | 0, and held there |
| the filter of a depthwise convolution that reads nothing else, with its BatchNorm | as for the layer |
| rows that only act on these columns: the other half of a gated unit, query and key of a head | likewise |
| channel c of the sum with a shortcut | gate[c] closes (relu(0) = 0, so the block's output is 0 there) |

A gate is a module with a bool buffer called `gate` [C], True = open, that returns its input [B, C, ...] with the
closed channels at 0 (`tasks/nets/gated.py`). What the other branches of the network add to the channel stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree


@dataclass(frozen=True)
class Part:
    """The part that units have in a tensor.

    name: of the tensor.
    units: the unit of each place along the axis; -1 for those of none.
    axis: along which units lie. The columns of a convolution with g groups are those of all groups in order.
    """

    name: str
    units: tuple[int, ...]
    axis: int = 0

    def where(self, chosen: Tensor) -> Tensor:
        """Bool [places]: those of the chosen units (bool [N])."""
        units = torch.tensor(self.units, device=chosen.device)
        return chosen[units.clamp(min=0)] & (units >= 0)

    def spread(self, chosen: Tensor, like: Tensor) -> Tensor:
        """The chosen units (bool [N]) as a bool tensor of the shape of `like`, the tensor."""
        shape = [1] * like.ndim
        shape[self.axis] = -1
        return self.where(chosen).reshape(shape).expand(like.shape).contiguous()


@dataclass(frozen=True)
class Units:
    """The units of one layer.

    layer: name of the module, or of its weight if that is not called "weight".
    count: number of units N.
    weights: parts in the weights whose rows die with the units, that of the layer itself first.
    biases: parts in their biases.
    norms: parts in gammas and betas of BatchNorms, those of `norm` first.
    readers: parts in the weights whose columns read the units. Weights behind a sum with other branches are not among
        them.
    norm: name of the BatchNorm right after the layer, "" where there is none.
    gate: name of the gate's buffer, "" where none is needed.
    output: name of the module whose output is the input of the activation.
    """

    layer: str
    count: int
    weights: tuple[Part, ...]
    biases: tuple[Part, ...] = ()
    norms: tuple[Part, ...] = ()
    readers: tuple[Part, ...] = ()
    norm: str = ""
    gate: str = ""
    output: str = ""

    @property
    def weight(self) -> str:
        """Name of the layer's weight."""
        return self.weights[0].name

    @property
    def affine(self) -> tuple[str, ...]:
        """Names of gamma and beta of `norm`, each [N]; none without it."""
        return (f"{self.norm}.weight", f"{self.norm}.bias") if self.norm else ()

    @property
    def are_rows(self) -> bool:
        """Whether unit c is row c of the layer's weight, and output c of the layer."""
        return self.weights[0].units == tuple(range(self.count))

    @property
    def statistics(self) -> tuple[Part, ...]:
        """Parts in running means and variances."""
        norms = {part.name.rpartition(".")[0]: part.units for part in self.norms}
        return tuple(Part(f"{n}.{s}", units) for n, units in norms.items() for s in ("running_mean", "running_var"))

    def dying(self, *, normalization_follows: bool) -> tuple[Part, ...]:
        """The parts in parameters that die with the units.

        normalization_follows: False leaves gamma and beta alive, and the bias, which has no effect before them. The
            output of the unit is then a constant (2019's pruning by filter norm, 2020's temporary noise).
        """
        if self.norms and not normalization_follows:
            return self.weights
        return (*self.weights, *self.biases, *self.norms)


@dataclass(frozen=True)
class Structure:
    """The units of a network.

    units: by layer, in forward order.
    others: the reason why the units cannot be removed, by layer, for all other layers.
    """

    units: Mapping[str, Units]
    others: Mapping[str, str]

    def at(self, layer: str) -> Units:
        """The units of a layer. Raises UsageError for a layer whose units cannot be removed, with the reason."""
        if layer in self.units:
            return self.units[layer]
        known = ", ".join(self.units) or "none"
        if layer in self.others:
            raise UsageError(
                f"units of layer {layer!r} cannot be removed: {self.others[layer]}; layers with units: {known}"
            )
        raise UsageError(f"there is no layer {layer!r}; layers with units: {known}")

    def restricted(self, prunable: frozenset[str], frozen: frozenset[str]) -> "Structure":
        """The structure without the units of which a weight is not prunable, or a part is frozen."""
        others = dict(self.others)
        for layer, units in self.units.items():
            if still := sorted(frozen.intersection(part.name for part in units.dying(normalization_follows=True))):
                others[layer] = f"{', '.join(still)} is frozen (requires_grad=False)"
            elif lacking := [part.name for part in units.weights if part.name not in prunable]:
                others[layer] = f"{lacking[0]} is not among the prunable tensors"
        kept = {layer: units for layer, units in self.units.items() if layer not in others}
        return Structure(kept, others)


def removed_units(masks: Tree, units: Units) -> Tensor:
    """Bool [N]: the units that have lost every weight of the layer itself."""
    part = units.weights[0]
    mask = masks[part.name]
    alive = mask.movedim(part.axis, 0).flatten(1).any(dim=1)
    kept = torch.zeros(units.count, dtype=torch.bool, device=mask.device)
    places = torch.tensor(part.units, device=mask.device)
    kept[places[alive & (places >= 0)]] = True
    return ~kept


def gates(buffers: Tree) -> Tree:
    """The gates among a network's buffers, bool [C] by name."""
    return {
        name: leaf for name, leaf in buffers.items() if name.rpartition(".")[2] == "gate" and leaf.dtype == torch.bool
    }
