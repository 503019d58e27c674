"""Arms of runs that differ in how they are pruned, and the comparisons that several figures make.

Belongs here: from the tables in `scales.py` to recipes. Does not belong here: what is read from runs (`quantities.py`),
arms of one figure only (its own file).
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import torch

from prunescope.papers.bartoldson.comparison import Arm, Comparison, arm
from prunescope.papers.bartoldson.quantities import Measured, Observables
from prunescope.papers.bartoldson.scales import (
    FAST,
    RESNET18,
    RESNET18_LAYERS,
    SLOW,
    VGG11,
    VGG11_LAYERS,
    EventSize,
    Group,
    Layers,
    Size,
)
from prunescope.runs.graph.families import during_training
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import Structure
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm, MeanActivation, UnitScore
from prunescope.sparsity.unit_search import find_units
from prunescope.tasks.model import Network
from prunescope.training.interventions import BernoulliUnits, LayerSchedule, NoiseUnits, PruneUnits, ZeroUnits

NONE, SCRATCH = "no pruning", "scratch"
TARGETS: Mapping[str, Target] = MappingProxyType({"S": "smallest", "R": "random", "L": "largest"})
"""Targets by the papers' subscripts."""
L1, L2 = FilterNorm(order=1), FilterNorm(order=2)
FLAT = 315
"""Epochs of training before flatness is measured."""


def title(subscript: str, layers: Layers, size: Size, period: int, *, suffix: str = "") -> str:
    """What an arm is called: "Prune_L 13 %"."""
    return f"Prune_{subscript} {layers.rate(size, period):.0f} %{suffix}"


def plain(group: Group, size: Size) -> Arm:
    """The arm without pruning."""
    return arm(NONE, group.recipe(size), group.runs(size))


def pruned(
    group: Group,
    layers: Layers,
    size: Size,
    subscript: str,
    *,
    period: int,
    score: UnitScore = L2,
    normalization_follows: bool = True,
    name: str = "",
    suffix: str = "",
) -> Arm:
    """The arm whose filters are pruned while it trains, an event every `period` epochs of the full schedule.

    subscript: of the target, see `TARGETS`.
    normalization_follows: whether scale and shift of a pruned filter go too.
    name, suffix: a name other than `title`, or what is added to that.
    """
    cut = PruneUnits(
        layers=layers.schedules(size, period),
        score=score,
        target=TARGETS[subscript],
        normalization_follows=normalization_follows,
        allow_idle_events=True,  # as in the authors' code: an event of a small layer may take nothing
    )
    name = name or title(subscript, layers, size, period, suffix=suffix)
    return arm(name, during_training(group.recipe(size), cut), group.runs(size))


def scored(
    group: Group, layers: Layers, size: Size, subscript: str, score: str, *, period: int, suffix: str = ""
) -> Arm:
    """The arm whose filters are scored by "E[BN]" or by "l2", as in 2019.

    E[BN] takes the normalization of a filter along; the l2 norm leaves its bias, so that a removed filter still puts
    out a constant.

    Source: Bartoldson et al. 2019, sections 2.1 and 3.2 ("our filter-l2-norm pruning approach did not set the
    batch-normalization bias of pruned filters to zero").
    """
    expected, suffix = score == "E[BN]", f" {score}{suffix}"
    way = ExpectedActivation() if expected else L2
    return pruned(
        group,
        layers,
        size,
        subscript,
        period=period,
        score=way,
        normalization_follows=expected,
        suffix=suffix,
    )


def scratch(group: Group, layers: Layers, size: Size) -> Arm:
    """The arm that is pruned to the same widths before its first step, then trained.

    Source: Bartoldson et al. 2020, Figure 6. Differs from the source: its code trains this arm one epoch less.
    """
    schedules = tuple(
        LayerSchedule(layer=name, start="0it", end="0it", fraction=fraction, period="1it")
        for name, fraction in zip(layers.names, layers.fractions, strict=True)
    )
    cut = PruneUnits(layers=schedules, score=L2, target="smallest", allow_idle_events=True)
    return arm(SCRATCH, during_training(group.recipe(size), cut), group.runs(size))


def largest(size: Size, **ways: Any) -> Arm:
    """VGG11 whose filters of largest l2 norm are pruned at the high rate."""
    return pruned(VGG11, VGG11_LAYERS, size, "L", period=FAST, **ways)


def noisy(size: Size, name: str, kind: type[BernoulliUnits | NoiseUnits | ZeroUnits], **fields: Any) -> Arm:
    """VGG11 under temporary noise on the filters that `largest` takes. fields: of the noise."""
    layers = VGG11_LAYERS.schedules(size, FAST)
    noise = kind(layers=layers, score=L2, allow_idle_events=True, **fields)
    return arm(name, during_training(VGG11.recipe(size), noise), VGG11.runs(size))


@cache
def _structure(net: Network) -> Structure:
    return find_units(net.build(), torch.zeros(2, 3, 8, 8))  # which are the same for images of any size


@cache
def blocks(net: Network, *, start: int, end: int, fraction: float) -> Layers:
    """Every convolution inside the blocks of a residual network; stem and shortcuts are left out.

    Source: Bartoldson et al. 2020, section 3.2 (start 40, end 100, 10 % of each) and Figure C3.
    """
    names = tuple(
        name
        for name in _structure(net).units
        if name.startswith("layer") and "shortcut" not in name and ".conv" in name
    )
    many = len(names)
    return Layers(names, (start,) * many, (end,) * many, (fraction,) * many)


def activations(net: Network, layers: Layers) -> MeanActivation:
    """The moving average of activations of these layers, updated every 10th batch.

    Source: Bartoldson et al. 2020, section 2 ("filters of ResNet18 ... using their resulting feature map
    activations' l1-norms ... with a moving average"); the authors' code for decay and period.
    """
    structure = _structure(net)
    return MeanActivation(outputs={name: structure.at(name).output for name in layers.names})


def compared(size: EventSize, *arms: Arm, **also: Any) -> Comparison:
    """Arms under what is measured in every run with BatchNorm. also: further fields of `Observables`."""
    observables = Observables(test=size.test_limit, train=size.train_limit, recalibration=size.recalibration, **also)
    return Comparison(arms, observables=observables)


def three(group: Group, layers: Layers, size: EventSize, *, score: UnitScore = L2) -> Comparison:
    """No pruning, the smallest at the low and at the high rate, the largest at the high rate: Figure 2's arms."""
    ways = (("S", SLOW), ("S", FAST), ("L", FAST))
    arms = [pruned(group, layers, size, letter, period=period, score=score) for letter, period in ways]
    return compared(size, plain(group, size), *arms)


def vgg11(size: EventSize) -> Comparison:
    """Those of VGG11, scored by l2 norms."""
    return three(VGG11, VGG11_LAYERS, size)


def resnet18(size: EventSize, layers: Layers = RESNET18_LAYERS) -> Comparison:
    """Those of ResNet18, scored by activations."""
    return three(RESNET18, layers, size, score=activations(RESNET18.recipe(size).task.network, layers))


def six(size: EventSize, measures: Mapping[str, Measured]) -> Comparison:
    """Those of VGG11, random filters at the high rate, and the network pruned before training.

    measures: of flatness, taken near the end, after the last fall of the learning rate.

    Source: Bartoldson et al. 2020, Figure 6; the authors' code measures in the epoch with index 314 of 325.
    """
    random = pruned(VGG11, VGG11_LAYERS, size, "R", period=FAST)
    before = scratch(VGG11, VGG11_LAYERS, size)
    late = f"{min(VGG11.length(size), round(FLAT / size.compress))}ep"
    return compared(size, *vgg11(size).arms, random, before, measures=measures, moment=late)
