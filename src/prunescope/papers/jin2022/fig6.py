"""jin2022/fig6: Does extended training time alone explain pruning's effect on generalization?

The dense network is trained as long as pruning trains. Drawn is `quantities.test_error` over `quantities.epochs`.
"""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.claims import AS_CLOSE, MORE, NO_WORSE, Range, Says, around, words
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import (
    as_long,
    best,
    best_level,
    differ,
    is_sparse,
    lacks,
    of_dense,
    optima_inside,
)
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study

FIGURE = "Figure 6"
COST = {"smoke": "half a minute or less", "laptop": "2 hours", "paper": "4 hours"}

SHOWN: tuple[Arm, ...] = ("pruned", "extended")
EXTENDED_GAP: Mapping[str, Range] = {
    "lenet": (0.0, 2.6),
    "resnet20": (0.4, 14.5),
    "vgg16": (3.6, 34.2),
    "resnet32": (0.0, 4.8),
    "resnet50": (-0.3, -0.3),
}
"""Test error of extended dense training minus pruning, over noise levels, points. Source: section 5.1 (Fig. 6)."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    title, claims = "Figure 6: test error over training epochs", (*beside_pruning(bench), *numbers(bench))
    figure = error_figure(bench, arms=SHOWN, over="epochs", name="fig6", title=title, claims=claims)
    return study(__doc__, size, scale, figure, cautions=optima_inside(bench, *SHOWN))


def beside_pruning(bench: Benchmark) -> Iterator[ps.Claim]:
    """Extended training does what pruning does, or better, without noise, and less with it."""
    text = f"extended dense training at its best errs as little as pruning at its best, {AS_CLOSE}, or less"
    place = "section 5.1, conclusion (matches or exceeds) and Fig. 6 (the margin is proposed here)"
    gap = of_dense(lacks(bench, 0.0, "extended"), bench, 0.0)
    yield Says(bench)("extended-matches", gap, NO_WORSE, text, differ(bench, 0.0, *SHOWN), place=place)
    text = "extended dense training at its best errs more on the test set than pruning does"
    for noise in bench.noisy("extended"):
        says, place, gap = Says(bench, noise), "section 5.1 and Fig. 6", lacks(bench, noise, "extended")
        yield says("extended-is-worse", gap, MORE, text, differ(bench, noise, *SHOWN), place=place)


def numbers(bench: Benchmark) -> Iterator[ps.Claim]:
    """The published range of what extended training lacks: at its own best, and when it has trained as long."""
    ends = EXTENDED_GAP.get(bench.name, (0.0, 0.0))
    text = "extended dense training (at {}) errs more than pruning by " + f"{words(ends)} points"
    place, unit = "section 5.1 (which training length is compared is not said)", "levels to spare"
    for noise in bench.noisy("extended") if bench.name in EXTENDED_GAP else ():
        says, region, row, own = Says(bench, noise), around(ends), "extended-gap", text.format("its own best")
        gap, apart = lacks(bench, noise, "extended"), differ(bench, noise, *SHOWN)
        yield says(f"{row}-best", gap, region, own, apart, place=place, statement=row)

        to_spare = best_level(bench, "pruned", noise).map(
            partial(np.subtract, bench.depth("extended", noise)), unit=unit
        )
        long = ps.Precondition("extended training was run as long as pruning to its optimum", to_spare, at_least=0)
        gap, equal = as_long(bench, noise) - best(bench, "pruned", noise), text.format("equal training")
        yield says(f"{row}-equal", gap, region, equal, long, is_sparse(bench, noise), place=place, statement=row)
