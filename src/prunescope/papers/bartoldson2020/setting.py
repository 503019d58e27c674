"""What the studies of the 2020 paper share: sizes, the arms of its Figures 2 and 6.

Belongs here: comparisons that more than one figure needs. Does not belong here: figures and claims.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from prunescope.measures import Measure
from prunescope.papers.bartoldson import pruning
from prunescope.papers.bartoldson.arms import Comparison, Look
from prunescope.papers.bartoldson.pruning import Layers
from prunescope.papers.bartoldson.sizes import EventSize
from prunescope.papers.bartoldson.training import GROUPS, Group
from prunescope.sparsity.unit_scores import UnitScore

SLOW, FAST = 4, 40
"""Epochs between events at the low and at the high iterative rate of Figure 2."""
FLAT = 315
"""Epochs of training before flatness is measured."""
SMOKE = EventSize(
    data="blobs",
    blobs=20,
    width=0.0625,
    compress=36.0,
    batch=10,
    replicates=2,
    recalibration=1,
)
"""Seconds where nothing is learned: it only shows that the path works."""
LAPTOP = EventSize(
    share=0.05,
    width=0.25,
    compress=5.0,
    batch=64,
    replicates=3,
    test_limit=1000,
    train_limit=1000,
    recalibration=4,
)
"""A quarter of the width, a twentieth of the images, a fifth of the epochs: proposed here. One run of the arm that is
disrupted most fitted its images from the sixth epoch after its last event on."""
SCALES: Mapping[str, EventSize] = MappingProxyType({"smoke": SMOKE, "laptop": LAPTOP, "paper": EventSize()})


def look(size: EventSize) -> Look:
    """What is looked at in every run."""
    return Look(test=size.test_limit, train=size.train_limit, recalibration=size.recalibration, units=True)


def three(group: Group, layers: Layers, size: EventSize, *, score: UnitScore | None = None) -> Comparison:
    """No pruning, the smallest at the low and at the high rate, the largest at the high rate: Figure 2's arms."""
    arms = [pruning.plain_arm(group, size)]
    for subscript, period in (("S", SLOW), ("S", FAST), ("L", FAST)):
        arms.append(pruning.filter_arm(group, layers, size, subscript=subscript, period=period, score=score))
    return Comparison(tuple(arms), look=look(size))


def six(
    size: EventSize,
    measures: Mapping[str, tuple[Measure, str]],
    combined: Mapping[str, tuple[str, tuple[str, ...], str]] | None = None,
) -> Comparison:
    """The arms of Figure 2 with VGG11, random filters at the high rate, and the network pruned before training.

    measures, combined: of flatness, see `Look`; taken near the end, after the last fall of the learning rate.

    Source: Bartoldson et al. 2020, Figure 6; the authors' code measures in the epoch with index 314 of 325.
    """
    group, layers = GROUPS["vgg11"], pruning.VGG11
    random = pruning.filter_arm(group, layers, size, subscript="R", period=FAST)
    arms = (*vgg11(size).arms, random, pruning.scratch_arm(group, layers, size))
    late = f"{min(group.length(size), round(FLAT / size.compress))}ep"
    return Comparison(arms, look=replace(look(size), measures=measures, combined=combined or {}, moment=late))


def vgg11(size: EventSize) -> Comparison:
    """VGG11 scored by l2 norms."""
    return three(GROUPS["vgg11"], pruning.VGG11, size)


def resnet18(size: EventSize, layers: Layers = pruning.RESNET18) -> Comparison:
    """ResNet18 scored by activations."""
    group = GROUPS["resnet18"]
    score = pruning.activations(group.recipe(size).task.network, layers)
    return three(group, layers, size, score=score)


def names(layers: Layers, size: EventSize) -> dict[str, str]:
    """The arms' names by role: S1, S13, L13, R13 are called after VGG11's rates."""
    roles = {"S1": ("S", SLOW), "S13": ("S", FAST), "L13": ("L", FAST), "R13": ("R", FAST)}
    return {role: pruning.title(letter, layers, size, period) for role, (letter, period) in roles.items()}
