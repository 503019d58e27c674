"""Units that can be taken out of a network, and nothing else changes.

Belongs here: which units, and the network without them. Does not belong here: how a unit is found
(`sparsity/structure.py`), what happens to its parameters meanwhile (`training/engines/working_set.py`).

A unit can go if all its own weights are gone and
- it puts out 0, because the bias, or gamma and beta of the BatchNorm that follows, are held at 0; or
- nothing reads it, because all weights that read it are gone (with BatchNorm its bias has to be held at 0, too, so that
  its statistics are known: they decay to 0).
What is taken out then has a gradient of exactly 0, and moves by decay and momentum alone. In evaluation nothing moves,
so what is 0 is held there.
"""

from contextlib import nullcontext
from functools import lru_cache

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Masks, Tree, clone
from prunescope.sparsity.structure import NORMS, Structure, Units, find_units
from prunescope.tasks.functional import drawing
from prunescope.tasks.kernels.cut import Cut
from prunescope.tasks.kernels.tailored import TOLERANCE, Tailored
from prunescope.tasks.model import Model
from prunescope.tasks.task import Problem, Split

EXAMPLES = 16
"""On so many examples a network without units is compared with the whole one."""


def without_units(
    network: Tailored, problem: Problem, weights: Weights, movable: Masks | None, split: Split
) -> Tailored:
    """The copy of a model without the units that can be taken out; the very same if there are none.

    movable: False where a parameter is held, and one that is not named may move; None where nothing moves. split: both
    are compared on its first examples.
    """
    live = _Live(weights, movable)
    structure = _structure(problem.model) if live.lacks_filters else None
    if structure is None:
        return network
    x = split.inputs.take(split.index[:EXAMPLES])
    gone = {units: out for units, out in removable(structure, network, live).items() if bool(out.any())}
    made = _cut(network, gone)
    if not gone or _agrees(made, network, weights, x):
        return made
    # A unit that something else reads, or a network that draws for every unit: find out which layers they are.
    good = {u: out for u, out in gone.items() if _agrees(_cut(network, {u: out}), network, weights, x)}
    made = _cut(network, good)
    return made if _agrees(made, network, weights, x) else network


def is_worth_cutting(problem: Problem, weights: Weights) -> bool:
    """Whether the problem's kernels take units out, and a convolution is large enough for that."""
    large = (leaf.ndim == 4 and leaf.numel() >= problem.kernels.least for leaf in weights.params.values())
    model = problem.model
    if model.frozen or model.evaluating:  # a removed unit's other tensors move by rules of their own there
        return False
    return problem.kernels.without_units and any(large)


@lru_cache(16)
def _structure(model: Model) -> Structure | None:
    """The units of a network; None for one that cannot be followed."""
    try:
        return find_units(model.template(train=False))
    except UsageError:
        return None


class _Live:
    """Which parameters may be other than 0, or are."""

    def __init__(self, weights: Weights, movable: Masks | None) -> None:
        self.params, self.masks, self.movable = weights.params, weights.masks, movable

    def __call__(self, name: str) -> Tensor:
        """Bool, shaped as the parameter."""
        here = self.params[name] != 0
        if self.movable is None:
            return here
        return here | self.movable[name] if name in self.movable else torch.ones_like(here)

    @property
    def lacks_filters(self) -> bool:
        """Whether any convolution over images has a filter without weights."""
        filters = (self(name) for name in self.masks if self.params[name].ndim == 4)
        return any(not bool(live.flatten(1).any(1).all()) for live in filters)


def removable(structure: Structure, network: Tailored, live: _Live) -> dict[Units, Tensor]:
    """Which units of each layer can be taken out, bool [N]; of a layer that would be empty one stays."""
    modules = dict(network.module.named_modules())
    found: dict[Units, Tensor] = {}
    for units in structure.units.values():
        names = [units.weight, *(reader for reader, _ in units.readers)]
        layers = [modules[name.rpartition(".")[0]] for name in names]
        known = all(type(layer) in (nn.Linear, nn.Conv2d) for layer in layers) and not units.gate
        if not known or not units.readers or any(getattr(layer, "groups", 1) != 1 for layer in layers):
            continue
        if any(name in network.patterns or name not in live.masks for name in names):
            continue
        if units.norm and not _decays(modules[units.norm]):
            continue
        out = _removable(units, live)
        if bool(out.all()):
            out[0] = False
        found[units] = out
    return found


def _removable(units: Units, live: _Live) -> Tensor:
    dead = ~live(units.weight).flatten(1).any(1)
    steady = ~live(f"{units.layer}.bias") if units.has_bias else torch.ones_like(dead)
    silent = steady.clone()
    for name in units.affine:
        silent &= ~live(name)
    read = torch.zeros_like(dead)
    for reader, inputs in units.readers:
        columns = live(reader)
        columns = columns.flatten(2) if columns.ndim > 2 else columns
        read |= columns.reshape(len(columns), units.count, -1).any(2).any(0) if inputs else read
    return dead & (silent | (~read & (steady if units.norm else torch.ones_like(dead))))


def _decays(norm: nn.Module) -> bool:
    """Whether the statistics of a unit that puts out 0 shrink by the same factor in every step."""
    return isinstance(norm, NORMS) and norm.track_running_stats and norm.momentum is not None


def _cut(network: Tailored, gone: dict[Units, Tensor]) -> Tailored:
    if not gone:
        return network
    modules = dict(network.module.named_modules())
    rows: dict[str, Tensor] = {}
    columns: dict[str, Tensor] = {}
    decays: dict[str, float] = {}
    for units, out in gone.items():
        stay = (~out).nonzero().view(-1)
        own = [units.weight, *([f"{units.layer}.bias"] if units.has_bias else []), *units.affine]
        rows |= dict.fromkeys([*own, *units.statistics], stay)
        for name in units.statistics:
            decays[name] = 1 - float(modules[units.norm].momentum)
        for reader, inputs in units.readers:
            places = torch.arange(inputs, device=stay.device)
            columns[reader] = (stay.unsqueeze(1) * inputs + places).view(-1)
    cuts = {name: Cut(rows.get(name), columns.get(name)) for name in rows.keys() | columns.keys()}
    return network.with_cuts(cuts, decays)


@torch.no_grad()
def _agrees(made: Tailored, network: Tailored, weights: Weights, x: Tensor) -> bool:
    """Whether both compute the same outputs under the same draws."""
    try:
        wanted, found = (_outputs(one, weights.params, weights.buffers, x) for one in (network, made))
    except Exception:  # shapes that do not fit
        return False
    return torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _outputs(network: Tailored, params: Tree, buffers: Tree, x: Tensor) -> Tensor:
    network.fill({**network.pack(params), **network.pack(clone(buffers))})
    # Only a pass of training draws; one of evaluation may be taken while another thread trains.
    with drawing(x.device, 0) if network.module.training else nullcontext():
        outputs: Tensor = network.module(network.laid(x))
    return outputs
