"""How the papers prune filters: which layers, when, how much; and the arms made of it.

Belongs here: the papers' tables of schedules, cut to a size. Does not belong here: training settings (`training.py`),
Conv4 (`conv4.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import ceil, floor
from types import MappingProxyType

from prunescope.papers.bartoldson.arms import Arm, arm
from prunescope.papers.bartoldson.sizes import Size
from prunescope.papers.bartoldson.training import Group
from prunescope.runs.graph.families import during_training
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import find_units
from prunescope.sparsity.unit_scores import FilterNorm, MeanActivation, UnitScore
from prunescope.tasks.model import Network
from prunescope.training.interventions import LayerSchedule, PruneUnits

NONE, SCRATCH = "no pruning", "scratch"
TARGETS: Mapping[str, Target] = MappingProxyType({"S": "smallest", "R": "random", "L": "largest"})
"""Targets by the papers' subscripts."""


@dataclass(frozen=True)
class Layers:
    """Layers with their first and last epoch of pruning, counted from 0, and the share that goes of each in all."""

    names: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    fractions: tuple[float, ...]

    def schedules(self, size: Size, period: int) -> tuple[LayerSchedule, ...]:
        """One event every `period` epochs, all epochs cut to the size: at least epoch 1, at least 1 apart."""
        return tuple(
            LayerSchedule.after_epochs(
                name, start=start, end=end, fraction=fraction, period=self.every(size, period)
            )
            for name, (start, end), fraction in zip(
                self.names, self._epochs(size), self.fractions, strict=True
            )
        )

    def events(self, size: Size, period: int) -> tuple[int, ...]:
        """How many events each layer has."""
        step = self.every(size, period)
        return tuple(len(range(start, end + 1, step)) for start, end in self._epochs(size))

    def rate(self, size: Size, period: int) -> float:
        """The largest share of a layer that goes at one event, percent of its original size."""
        shares = zip(self.fractions, self.events(size, period), strict=True)
        return max(100 * fraction / events for fraction, events in shares)

    def every(self, size: Size, period: int) -> int:
        """The period in epochs at a size."""
        return max(1, ceil(period / size.compress))

    def _epochs(self, size: Size) -> list[tuple[int, int]]:
        starts = [max(1, round(start / size.compress)) for start in self.starts]
        ends = [floor(end / size.compress) for end in self.ends]  # never later than the paper's
        return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]

    def at_rate(self, size: Size, period: int, shares: tuple[float, ...]) -> "Layers":
        """The same layers and epochs, with these shares going at every event, percent."""
        events = self.events(size, period)
        return replace(
            self, fractions=tuple(round(s * n / 100, 10) for s, n in zip(shares, events, strict=True))
        )


_VGG11 = ("conv5", "conv6", "conv7", "conv8")
_RESNET18 = ("layer4.0.conv1", "layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2")
VGG11 = Layers(_VGG11, (3, 4, 5, 6), (150, 150, 150, 275), (0.3, 0.3, 0.3, 0.9))
"""Figures 2, 3, 5, 6, B2, D2 of 2020; Figures 1 and 2 of 2019."""
RESNET18 = Layers(_RESNET18, (7, 8, 9, 10), (150, 150, 170, 275), (0.25, 0.4, 0.25, 0.95))
"""Figure 2 of 2020."""
RESNET18_EARLY = replace(RESNET18, starts=(3, 4, 5, 6))
"""Figure B2 of 2020."""
RESNET18_MORE = replace(RESNET18, fractions=(0.25, 0.8, 0.25, 0.95))
"""Table C1 of 2020."""
RESNET18_LAST = Layers(_RESNET18[-1:], (2500,), (3500,), (0.7,))
"""Table F1 of 2020, on CIFAR-100."""
SHORT = Layers(_VGG11, (3, 3, 3, 3), (50, 50, 50, 120), (0.3, 0.3, 0.3, 0.9))
"""Figure 3 of 2019, whose fractions follow from the rate."""
SHORT_FIXED = replace(SHORT, fractions=(0.1, 0.1, 0.1, 0.9))
"""Figure A2 of 2019."""


@cache
def blocks(net: Network, *, start: int, end: int, fraction: float) -> Layers:
    """Every convolution inside the blocks of a residual network; stem and shortcuts are left out.

    Source: Bartoldson et al. 2020, section 3.2 (start 40, end 100, 10 % of each) and Figure C3.
    """
    names = tuple(
        name
        for name in find_units(net.build()).units
        if name.startswith("layer") and "shortcut" not in name and ".conv" in name
    )
    many = len(names)
    return Layers(names, (start,) * many, (end,) * many, (fraction,) * many)


def activations(net: Network, layers: Layers) -> MeanActivation:
    """The moving average of activations of these layers, updated every 10th batch.

    Source: Bartoldson et al. 2020, section 2 ("filters of ResNet18 ... using their resulting feature map
    activations' l1-norms ... with a moving average"); the authors' code for decay and period.
    """
    structure = find_units(net.build())
    return MeanActivation(outputs={name: structure.at(name).output for name in layers.names})


def prune(
    recipe: Recipe,
    layers: Layers,
    size: Size,
    *,
    period: int,
    target: Target,
    score: UnitScore | None = None,
    normalization_follows: bool = True,
) -> Recipe:
    """The recipe with filters pruned while it trains; by default scored by their l2 norm."""
    cut = PruneUnits(
        layers=layers.schedules(size, period),
        score=score or FilterNorm(order=2),
        target=target,
        normalization_follows=normalization_follows,
        allow_idle_events=True,  # as in the authors' code: an event of a small layer may take nothing
    )
    return during_training(recipe, cut)


def scratch(recipe: Recipe, layers: Layers, *, score: UnitScore | None = None) -> Recipe:
    """The network that is pruned to the same widths before its first step, then trained.

    Source: Bartoldson et al. 2020, Figure 6. Differs from the source: its code trains this arm one epoch less.
    """
    schedules = tuple(
        LayerSchedule(layer=name, start="0it", end="0it", fraction=fraction, period="1it")
        for name, fraction in zip(layers.names, layers.fractions, strict=True)
    )
    cut = PruneUnits(
        layers=schedules, score=score or FilterNorm(order=2), target="smallest", allow_idle_events=True
    )
    return during_training(recipe, cut)


def replicates_of(group: Group, size: Size) -> int:
    """How many runs each arm has."""
    return group.replicates if size.replicates == "paper" else size.replicates


def title(subscript: str, layers: Layers, size: Size, period: int, *, suffix: str = "") -> str:
    """What an arm is called: "Prune_L 13 %"."""
    return f"Prune_{subscript} {layers.rate(size, period):.0f} %{suffix}"


def filter_arm(
    group: Group,
    layers: Layers,
    size: Size,
    *,
    subscript: str,
    period: int,
    score: UnitScore | None = None,
    normalization_follows: bool = True,
    suffix: str = "",
) -> Arm:
    """One arm of filter pruning: target by its subscript, an event every `period` epochs of the full schedule."""
    recipe = prune(
        group.recipe(size),
        layers,
        size,
        period=period,
        target=TARGETS[subscript],
        score=score,
        normalization_follows=normalization_follows,
    )
    name = title(subscript, layers, size, period, suffix=suffix)
    return arm(name, recipe, replicates_of(group, size), rate=layers.rate(size, period))


def plain_arm(group: Group, size: Size) -> Arm:
    """The arm without pruning."""
    return arm(NONE, group.recipe(size), replicates_of(group, size))


def scratch_arm(group: Group, layers: Layers, size: Size) -> Arm:
    """The arm that is pruned before training."""
    return arm(SCRATCH, scratch(group.recipe(size), layers), replicates_of(group, size))
