"""jin2022/section7: Does pruning harm some classes or groups of examples, from which sparsity on, and is it pruning or
size?
"""

import prunescope as ps
from prunescope.papers.jin2022 import classes
from prunescope.papers.jin2022.app_l import harm_comes_late
from prunescope.papers.jin2022.arms import Arm
from prunescope.papers.jin2022.classes import NOISE
from prunescope.papers.jin2022.quantities import rank_agreement
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import Subgroups, sparsity_figure, subgroups

COST = {"smoke": "half a minute or less", "laptop": "20 minutes", "paper": "1 hour"}
FIGURE = "Section 7, on fairness"
ARMS: tuple[Arm, ...] = ("pruned", "width")


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    sub, title = subgroups(bench, size), "Section 7: change in training loss over sparsity and over width"
    claims = (harm_comes_late(sub), _width_harms_the_same_groups(sub))
    by_group = sparsity_figure(sub, NOISE, ARMS, "section7-groups", title, claims)
    return study(__doc__, size, scale, classes.figure(bench, ARMS, claims=tuple(classes.harm(bench))), by_group)


def _width_harms_the_same_groups(sub: Subgroups) -> ps.Claim:
    same = rank_agreement(*(sub.change(arm, NOISE, sub.bench.depth(arm, NOISE)) for arm in ARMS), over="groups")
    text = (
        "the groups of training examples whose loss rises most at the highest sparsity are those whose loss rises most "
        "in the narrowest dense network"
    )
    place = "section 7 (size in general; the measure is proposed here)"
    region = ps.CorrelationDirection("greater", ranked=sub.groups)
    return sub.says(NOISE)("group-harm-is-of-size", same, region, text, place=place, statement="harm-is-of-size")
