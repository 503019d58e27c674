"""jin2022/fig1: Is it the training or the removal of weights that improves generalization, and on which examples?

Pruning matches training longer, and changes the loss of influential examples most.
"""

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers
from prunescope.papers.jin2022.claims import AS_CLOSE, SAME, Says, by_chance
from prunescope.papers.jin2022.fig2 import influential
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import (
    as_far_as_reached,
    each_level,
    of_dense,
    optima_inside,
    remaining,
    test_error,
)
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import at_both_choices, group_figure, subgroups

FIGURE = "Figure 1"
COST = {"smoke": "half a minute or less", "laptop": "40 minutes", "paper": "1 hour"}
SHOWN: tuple[Arm, ...] = ("pruned", "extended")
ABOVE = 1.0
"""Weights remaining, percent, above which the two are compared."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    sub = subgroups(bench, size)
    title, matches = "Figure 1a: pruned and extended dense training", (matches_everywhere(bench),)
    left = error_figure(bench, arms=SHOWN, noises=(0.0,), name="fig1a", title=title, claims=matches)
    title, claims = "Figure 1b: change in training loss by influence", influential(sub)
    right = group_figure(sub, at_both_choices(), name="fig1b", title=title, claims=claims)
    return study(__doc__, size, scale, left, right, cautions=optima_inside(bench, *SHOWN, noises=(0.0,)))


def matches_everywhere(bench: Benchmark) -> ps.Claim:
    """Extended training matches pruning at every sparsity; by the paper's rule, but for what chance makes differ."""
    levels = bench.levels_of("extended", 0.0)
    gaps = as_far_as_reached(
        [test_error(bench, "extended", 0.0, n) - test_error(bench, "pruned", 0.0, n) for n in levels]
    )
    left = as_far_as_reached(each_level(bench, "extended", 0.0, remaining))

    def compared(gaps: Numbers, left: Numbers) -> Numbers:
        return gaps[:, 1:][:, left[0, 1 : gaps.shape[1]] > ABOVE]

    among = ps.Among(SAME, chance=2 * by_chance(bench.replicates))

    return Says(bench)(
        "extended-matches-everywhere",
        ps.combined(compared, of_dense(gaps, bench, 0.0), left, unit="share of levels"),
        among,
        f"extended dense training errs as often as pruning, {AS_CLOSE}, at every level to which it was run with more "
        f"than {ABOVE:g} % of the weights",
        place="Fig. 1a (the margin, and how many levels may differ by chance, are proposed here)",
    )
