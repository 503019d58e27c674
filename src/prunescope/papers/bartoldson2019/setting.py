"""What the VGG11 studies of the 2019 paper share: sizes, scores, arms.

Belongs here: comparisons that more than one figure needs. Does not belong here: figures and claims.
"""

from collections.abc import Mapping
from typing import Literal

from prunescope.papers.bartoldson import pruning
from prunescope.papers.bartoldson.arms import Arm
from prunescope.papers.bartoldson.pruning import Layers
from prunescope.papers.bartoldson.sizes import EventSize, Size
from prunescope.papers.bartoldson.training import GROUPS, Name
from prunescope.papers.bartoldson2020 import setting
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm

ScoreName = Literal["E[BN]", "l2"]
SLOW, FAST = setting.SLOW, setting.FAST
SCALES: Mapping[str, EventSize] = setting.SCALES
look = setting.look


def scored_arm(
    size: Size,
    score: ScoreName,
    letter: str,
    *,
    layers: Layers,
    period: int,
    group: Name = "vgg11",
    suffix: str = "",
) -> Arm:
    """VGG11 pruned by one of the paper's two scores.

    E[BN] takes the normalization of a filter along; the l2 norm leaves its bias, so that a removed filter still puts
    out a constant.

    Source: Bartoldson et al. 2019, sections 2.1 and 3.2 ("our filter-l2-norm pruning approach did not set the
    batch-normalization bias of pruned filters to zero").
    """
    expected = score == "E[BN]"
    return pruning.filter_arm(
        GROUPS[group],
        layers,
        size,
        subscript=letter,
        period=period,
        score=ExpectedActivation() if expected else FilterNorm(order=2),
        normalization_follows=expected,
        suffix=f" {score}{suffix}",
    )


def title(score: ScoreName, letter: str, *, layers: Layers, size: Size, period: int, suffix: str = "") -> str:
    """The name of that arm."""
    return pruning.title(letter, layers, size, period, suffix=f" {score}{suffix}")
