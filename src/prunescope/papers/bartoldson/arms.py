"""Arms of runs that differ in how they are pruned, and the comparisons that several figures make.

Belongs here: from the tables in `scales.py` to recipes. Does not belong here: what is read from runs (`quantities.py`),
arms of one figure only (its own file).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

import prunescope as ps
from prunescope.papers.bartoldson import scales
from prunescope.papers.bartoldson.comparison import Arm, Comparison, arm
from prunescope.papers.bartoldson.quantities import Measured, Observables
from prunescope.papers.bartoldson.scales import FAST, SLOW, VGG11, VGG11_LAYERS, EventSize, Group, Layers, Size
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import Structure
from prunescope.sparsity.unit_scores import ExpectedActivation, MeanActivation
from prunescope.sparsity.unit_search import find_units

NONE, SCRATCH = "no pruning", "scratch"
TARGETS: Mapping[str, Target] = {"S": "smallest", "R": "random", "L": "largest"}
"""Targets by the papers' subscripts."""
L1, L2 = ps.FilterNorm(order=1), ps.FilterNorm(order=2)
FLAT = 315
"""Epochs of training before flatness is measured."""


def title(subscript: str, layers: Layers, size: Size, period: int, *, suffix: str = "") -> str:
    """What an arm is called: "Prune_L 13 %"."""
    return f"Prune_{subscript} {layers.rate(size, period):.0f} %{suffix}"


def treated(group: Group, size: Size, name: str, *treatments: ps.Intervention) -> Arm:
    """The arm to whose runs something is done while they train."""
    return arm(name, ps.during_training(group.recipe(size), *treatments), group.runs(size))


def pruned(
    group: Group,
    layers: Layers,
    size: Size,
    subscript: str,
    *,
    period: int,
    score: ps.UnitScore,
    normalization_follows: bool = True,
    name: str = "",
    suffix: str = "",
) -> Arm:
    """The arm whose filters are pruned while it trains, an event every `period` epochs of the full schedule.

    subscript: of the target, see `TARGETS`.
    normalization_follows: whether scale and shift of a pruned filter go too.
    name, suffix: a name other than `title`, or what is added to that.
    """
    cut = ps.PruneUnits(
        layers=layers.schedules(size, period),
        score=score,
        target=TARGETS[subscript],
        normalization_follows=normalization_follows,
        allow_idle_events=True,  # as in the authors' code: an event of a small layer may take nothing
    )
    return treated(group, size, name or title(subscript, layers, size, period, suffix=suffix), cut)


def scored(
    group: Group, layers: Layers, size: Size, subscript: str, score: str, *, period: int, suffix: str = ""
) -> Arm:
    """The arm whose filters are scored by "E[BN]" or by "l2", as in 2019.

    E[BN] takes the normalization of a filter along; the l2 norm leaves its bias, so that a removed filter still puts
    out a constant.

    Source: Bartoldson et al. 2019, sections 2.1 and 3.2 ("our filter-l2-norm pruning approach did not set the
    batch-normalization bias of pruned filters to zero").
    """
    ways: dict[str, dict[str, Any]] = {
        "E[BN]": {"score": ExpectedActivation(), "normalization_follows": True},
        "l2": {"score": L2, "normalization_follows": False},
    }
    return pruned(group, layers, size, subscript, period=period, suffix=f" {score}{suffix}", **ways[score])


def scratch(group: Group, layers: Layers, size: Size) -> Arm:
    """The arm that is pruned to the same widths before its first step, then trained.

    Source: Bartoldson et al. 2020, Figure 6. Differs from the source: its code trains this arm one epoch less.
    """
    schedules = tuple(
        ps.LayerSchedule(layer=name, start="0it", end="0it", fraction=fraction, period="1it")
        for name, fraction in zip(layers.names, layers.fractions, strict=True)
    )
    cut = ps.PruneUnits(layers=schedules, score=L2, target="smallest", allow_idle_events=True)
    return treated(group, size, SCRATCH, cut)


def largest(size: Size, **ways: Any) -> Arm:
    """VGG11 whose filters of largest l2 norm are pruned at the high rate."""
    return pruned(VGG11, VGG11_LAYERS, size, "L", period=FAST, score=L2, **ways)


def reference(size: Size) -> Arm:
    """The same that leaves gamma and beta of pruned filters alone: what temporary noise is compared with.

    Source: Bartoldson et al. 2020, the authors' scripts of Figures 5 and D2 (noise = "Prune_L").
    """
    return largest(size, normalization_follows=False, suffix=", BN kept")


def noisy(size: Size, name: str, kind: type[ps.BernoulliUnits | ps.NoiseUnits | ps.ZeroUnits], **fields: Any) -> Arm:
    """VGG11 under temporary noise on the filters that `largest` takes. fields: of the noise."""
    layers = VGG11_LAYERS.schedules(size, FAST)
    return treated(VGG11, size, name, kind(layers=layers, score=L2, allow_idle_events=True, **fields))


@cache
def _structure(net: ps.Network) -> Structure:
    return find_units(net.build(), torch.zeros(2, 3, 8, 8))  # which are the same for images of any size


@cache
def blocks(net: ps.Network, *, start: int, end: int, fraction: float) -> Layers:
    """Every convolution inside the blocks of a residual network; stem and shortcuts are left out.

    Source: Bartoldson et al. 2020, section 3.2 (start 40, end 100, 10 % of each) and Figure C3.
    """
    units = _structure(net).units
    names = tuple(n for n in units if n.startswith("layer") and "shortcut" not in n and ".conv" in n)
    many = len(names)
    return Layers(names, (start,) * many, (end,) * many, (fraction,) * many)


def compared(group: Group, size: EventSize, *arms: Arm, **also: Any) -> Comparison:
    """No pruning, and arms, under what is measured in every run with BatchNorm. also: further such `Observables`."""
    observables = Observables(test=size.test_limit, train=size.train_limit, recalibration=size.recalibration, **also)
    return Comparison((treated(group, size, NONE), *arms), observables=observables)


def three(group: Group, layers: Layers, size: EventSize, *, score: ps.UnitScore) -> Comparison:
    """No pruning, the smallest at the low and at the high rate, the largest at the high rate: Figure 2's arms."""
    ways = (("S", SLOW), ("S", FAST), ("L", FAST))
    arms = [pruned(group, layers, size, letter, period=period, score=score) for letter, period in ways]
    return compared(group, size, *arms)


def vgg11(size: EventSize) -> Comparison:
    """Those of VGG11, scored by l2 norms."""
    return three(VGG11, VGG11_LAYERS, size, score=L2)


def resnet18(size: EventSize, layers: Layers = scales.RESNET18_LAYERS) -> Comparison:
    """Those of ResNet18, scored by the moving average of activations, updated every 10th batch.

    Source: Bartoldson et al. 2020, section 2 ("filters of ResNet18 ... using their resulting feature map
    activations' l1-norms ... with a moving average"); the authors' code for decay and period.
    """
    group = scales.RESNET18
    structure = _structure(group.recipe(size).task.network)
    score = MeanActivation(outputs={name: structure.at(name).output for name in layers.names})
    return three(group, layers, size, score=score)


def late(size: Size) -> str:
    """When flatness is measured: near the end, after the last fall of the learning rate.

    Source: the authors' code, which measures in the epoch with index 314 of 325.
    """
    return f"{min(VGG11.length(size), round(FLAT / size.compress))}ep"


def six(size: EventSize, measures: Mapping[str, Measured]) -> Comparison:
    """Those of VGG11, random filters at the high rate, and the network pruned before training.

    measures: of flatness, taken `late`.

    Source: Bartoldson et al. 2020, Figure 6.
    """
    random = pruned(VGG11, VGG11_LAYERS, size, "R", period=FAST, score=L2)
    before = scratch(VGG11, VGG11_LAYERS, size)
    return compared(VGG11, size, *vgg11(size).pruned.arms, random, before, measures=measures, moment=late(size))
