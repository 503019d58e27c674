"""The units of a network, its filters and neurons: where they are, and what dies with each of them.

Belongs here: units found by tracing a module. Does not belong here: scores of units (`unit_scores.py`), the number of
parameters that go with them (`unit_count.py`), when units are removed (`training/interventions/`).

These things die with unit c of a layer, so that its output is exactly 0, in training and in evaluation:

| what | how |
|---|---|
| weight[c] of the layer | its mask goes |
| bias[c] of the layer | 0, and held there |
| gamma[c] and beta[c] of the BatchNorm that follows | 0, and held there |
| channel c of the sum with a shortcut | gate[c] closes (relu(0) = 0, so the block's output is 0 there) |

A gate is a module with a bool buffer called `gate` [C], True = open, that returns its input [B, C, ...] with the
closed channels at 0 (`tasks/nets/gated.py`). What the other branches of the network add to the channel stays.
"""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Hardswish)
KEEP_ZEROS = (
    *(nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool2d),
)
KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "layer": LAYERS,
    "norm": NORMS,
    "activation": ACTIVATIONS,
    "keeps zeros": KEEP_ZEROS,
}
ACTIVATION_NAMES = {"relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh"}
KEEP_ZEROS_NAMES = {
    *("dropout", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool2d"),
    *("boolean_dispatch", "flatten", "mean", "view", "reshape", "squeeze", "contiguous"),
}
SHAPE_NAMES = {"size", "dim", "getattr"}
ADDITIONS = {operator.add, operator.iadd, torch.add, "add", "add_"}


@dataclass(frozen=True)
class Units:
    """The units of one layer.

    layer: name of the module.
    count: number of units N.
    has_bias: whether the layer has a bias.
    norm: name of the BatchNorm after the layer, "" where there is none.
    gate: name of the gate's buffer, "" where none is needed.
    output: name of the module whose output is the input [B, N, ...] of the activation.
    readers: names of the weights that read the units, with the number of inputs that a unit is to them (more than 1
        after flattening). Weights behind a sum with other branches are not among them.
    """

    layer: str
    count: int
    has_bias: bool
    norm: str
    gate: str
    output: str
    readers: tuple[tuple[str, int], ...]

    @property
    def weight(self) -> str:
        """Name of the weight, whose row c is unit c."""
        return f"{self.layer}.weight"

    @property
    def affine(self) -> tuple[str, ...]:
        """Names of the BatchNorm's gamma and beta, each [N]; none without BatchNorm."""
        return (f"{self.norm}.weight", f"{self.norm}.bias") if self.norm else ()

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the BatchNorm's running mean and variance, each [N]; none without BatchNorm."""
        return (f"{self.norm}.running_mean", f"{self.norm}.running_var") if self.norm else ()

    def dying(self, *, normalization_follows: bool) -> tuple[str, ...]:
        """Names of the parameters of which row c dies with unit c.

        normalization_follows: False leaves gamma and beta alive, and the bias, which has no effect before them. The
            output of the unit is then a constant (2019's pruning by filter norm, 2020's temporary noise).
        """
        if self.norm and not normalization_follows:
            return (self.weight,)
        bias = (f"{self.layer}.bias",) if self.has_bias else ()
        return (self.weight, *bias, *self.affine)


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
        """The structure without the units whose weight is not prunable, or of which a part is frozen."""
        others = dict(self.others)
        for layer, units in self.units.items():
            if still := sorted(frozen.intersection(units.dying(normalization_follows=True))):
                others[layer] = f"{', '.join(still)} is frozen (requires_grad=False)"
            elif units.weight not in prunable:
                others[layer] = f"{units.weight} is not among the prunable tensors"
        kept = {layer: units for layer, units in self.units.items() if layer not in others}
        return Structure(kept, {layer: others[layer] for layer in others})


def removed_units(masks: Tree, units: Units) -> Tensor:
    """Bool [N]: the units that have lost every weight."""
    return ~masks[units.weight].flatten(1).any(dim=1)


def gates(buffers: Tree) -> Tree:
    """The gates among a network's buffers, bool [C] by name."""
    return {
        name: leaf for name, leaf in buffers.items() if name.rpartition(".")[2] == "gate" and leaf.dtype == torch.bool
    }


def spread_rows(where: Tensor, like: Tensor) -> Tensor:
    """Bool [N] as a bool tensor of the shape of `like` [N, ...], constant along each row."""
    return where.reshape(-1, *[1] * (like.ndim - 1)).expand(like.shape).contiguous()


def find_units(module: nn.Module) -> Structure:
    """The structure of a network, from a trace of its forward pass.

    Raises UsageError when the forward pass cannot be traced because it branches on data.
    """
    try:
        graph = _Tracer().trace(module)
    except Exception as problem:  # whatever the user's forward raises on a symbolic input
        raise UsageError(
            f"the units of {type(module).__name__} cannot be found, because its forward pass cannot be followed "
            f"({problem}); write it without branches on data and with one module for every layer"
        ) from problem
    modules = dict(module.named_modules())
    nodes = [node for node in graph.nodes if isinstance(_module(modules, node), LAYERS)]
    units: dict[str, Units] = {}
    others: dict[str, str] = {}
    for node in nodes:
        name = str(node.target)
        try:
            if sum(other.target == node.target for other in nodes) > 1:
                raise _Refused("it is used more than once in a pass")
            new = _units(modules, node)
            if twins := [other.layer for other in units.values() if new.gate and other.gate == new.gate]:
                raise _Refused(f"its channels are switched together with those of {twins[0]}")
            units[name] = new
        except _Refused as reason:
            others[name] = str(reason)
    return Structure(units, others)


class _Refused(Exception):
    """Why the units of a layer cannot be removed."""


class _Tracer(fx.Tracer):
    """Traces into modules that have children; every other module is one call."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return next(m.children(), None) is None


def _module(modules: Mapping[str, nn.Module], node: fx.Node) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _units(modules: Mapping[str, nn.Module], node: fx.Node) -> Units:
    """The units of the layer at `node`; the trace is followed to the activation, then to the layers that read them."""
    layer = _module(modules, node)
    assert isinstance(layer, LAYERS)
    count, norm, gate, output = len(layer.weight), "", "", str(node.target)
    current, added = node, False
    while True:
        current = _only_user(current)
        kind = _kind(modules, current)
        if kind == "norm" and not (norm or added):
            norm = output = _norm(_module(modules, current), current, count)
        elif kind == "add" and not added:
            added = True
        elif kind == "gate":
            gate, output, added = f"{current.target}.gate", str(current.target), False
        elif kind not in ("keeps zeros", "activation", "layer"):
            raise _Refused(_reason(kind, current))
        if kind in ("activation", "layer"):
            break
    if added:
        raise _Refused(
            "a shortcut is added to its output, which would stay when a unit goes; use the network's gated "
            "version, for instance prunescope.tasks.nets:GatedResNet18"
        )
    starts = [current] if kind == "layer" else list(current.users)
    readers = tuple(_readers(modules, starts, count))
    return Units(str(node.target), count, layer.bias is not None, norm, gate, output, readers)


def _only_user(node: fx.Node) -> fx.Node:
    users = [user for user in node.users if _name(user) not in SHAPE_NAMES]
    if len(users) != 1:
        raise _Refused(f"its output is used in {len(users)} places before an activation")
    return users[0]


def _norm(norm: nn.Module | None, node: fx.Node, count: int) -> str:
    assert isinstance(norm, NORMS)
    if not norm.affine or norm.num_features != count:
        raise _Refused(f"{node.target} has no gamma and beta for each of its {count} units")
    return str(node.target)


def _readers(modules: Mapping[str, nn.Module], starts: list[fx.Node], count: int) -> Iterator[tuple[str, int]]:
    """The weights that read the units, and their inputs for each unit; the trace ends at sums and unknown modules.

    After the activation the output of a removed unit is 0, unless it is normalized or is the output of the network.
    """
    pending, visited = list(starts), set(starts)
    while pending:
        node = pending.pop(0)
        kind, module = _kind(modules, node), _module(modules, node)
        if kind == "layer":
            assert isinstance(module, LAYERS)
            inputs = module.weight.shape[1] * getattr(module, "groups", 1)
            yield f"{node.target}.weight", inputs // count
        elif kind in ("keeps zeros", "activation", "gate"):
            pending += [user for user in node.users if user not in visited]
            visited |= set(node.users)
        elif kind in ("norm", "output"):
            raise _Refused(_reason(kind, node))


def _reason(kind: str, node: fx.Node) -> str:
    if kind == "output":
        return "it is the output layer"
    reasons = {
        "norm": "is normalized after an activation or a sum",
        "add": "is added twice before an activation",
    }
    return f"its output {reasons.get(kind, 'goes into something that may not keep zeros')}, at {node.target}"


def _name(node: fx.Node) -> str:
    target: Any = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", "")


def _kind(modules: Mapping[str, nn.Module], node: fx.Node) -> str:
    """What the node does to the output of a unit."""
    module, name = _module(modules, node), _name(node)
    if module is not None:
        gate = getattr(module, "gate", None)
        if isinstance(gate, Tensor) and gate.dtype == torch.bool:
            return "gate"
        return next((kind for kind, types in KINDS.items() if isinstance(module, types)), "unknown")
    if node.op == "output":
        return "output"
    if node.target in ADDITIONS:
        return "add"
    if name in ACTIVATION_NAMES:
        return "activation"
    if name in KEEP_ZEROS_NAMES:
        return "keeps zeros"
    return "shape" if name in SHAPE_NAMES else "unknown"
