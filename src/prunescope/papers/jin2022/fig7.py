"""jin2022/fig7: Does size alone explain pruning's effect on generalization?

Narrower dense networks beside pruned ones, and the same near their optima (Appendix F).
"""

from collections.abc import Iterator, Mapping

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.claims import MORE, Range, Says, around, words
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import best, dense, differ, lacks, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study

FIGURE = "Figure 7 and Appendix F"
COST = {"smoke": "half a minute or less", "laptop": "2 hours", "paper": "3 hours"}

SHOWN: tuple[Arm, ...] = ("pruned", "width")
MOST_BY_WIDTH = 2.1
"""Points by which narrower networks miss pruning at most, with label noise. Source: section 5.2, conclusion."""
WIDTH_GAP: Mapping[str, Range] = {
    "lenet": (-4.0, 0.4),
    "resnet20": (0.0, 0.0),
    "vgg16": (1.5, 1.8),
    "resnet32": (0.0, 2.1),
    "resnet50": (0.36, 0.36),
}
"""Least test error of width down-scaling minus that of pruning, over noise levels. Source: section 5.2 (Fig. 7)."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    title, claims = "Figure 7: pruning and width down-scaling", (*beside_pruning(bench), *numbers(bench))
    whole = error_figure(bench, arms=SHOWN, name="fig7", title=title, claims=claims)
    title, noises = "Appendix F: Figure 7 near its optima", bench.noises_of("width")
    near = error_figure(bench, arms=SHOWN, noises=noises, within=MOST_BY_WIDTH, name="app-f", title=title)
    return study(__doc__, size, scale, whole, near, cautions=optima_inside(bench, *SHOWN))


def beside_pruning(bench: Benchmark) -> Iterator[ps.Claim]:
    """With noise narrower networks beat the full one and come close to the pruned one, but do not quite reach it."""
    place = "section 5.2 and Fig. 7"
    worse = "width down-scaling at its best has a higher test error than pruning at its best"
    some = f"{place} (there on 4 of 5 benchmarks)"
    apart = differ(bench, 0.0, *SHOWN)
    yield Says(bench)("width-is-worse-clean", lacks(bench, 0.0, "width"), MORE, worse, apart, place=some)
    for noise in bench.noisy("width"):
        says, gap, apart = Says(bench, noise), lacks(bench, noise, "width"), differ(bench, noise, *SHOWN)
        yield says("width-is-worse", gap, MORE, worse, apart, place=place)

        gain = dense(bench, noise) - best(bench, "width", noise)
        text = "width down-scaling at its best has a lower test error than the full dense network"
        yield says("width-helps", gain, MORE, text, place=place)

        close, points = ps.Direction("less", than=MOST_BY_WIDTH), f"no more than {MOST_BY_WIDTH:g} points"
        text = f"the least test error of width down-scaling exceeds that of pruning by {points}"
        yield says("width-is-close", gap, close, text, apart, place="section 5.2, conclusion")


def numbers(bench: Benchmark) -> Iterator[ps.Claim]:
    """The published range of what width down-scaling lacks."""
    for noise in bench.noisy("width") if bench.name in WIDTH_GAP else ():
        ends, apart = WIDTH_GAP[bench.name], differ(bench, noise, *SHOWN)
        text = f"the least test error of width down-scaling exceeds that of pruning by {words(ends)} points"
        gap, place = lacks(bench, noise, "width"), "section 5.2"
        yield Says(bench, noise)("width-gap", gap, around(ends), text, apart, place=place)
