"""jin2022/fig7: Does size alone explain pruning's effect on generalization?

Narrower dense networks beside pruned ones, and the same near their optima (Appendix F).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import MORE, Range, Says, around, words
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import best, dense, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, study
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction
from prunescope.studies.study import Study

__all__ = ["SCALES", "build"]

FIGURE = "Figure 7 and Appendix F"
COST = {
    "smoke": "half a minute or less on 2 cores",
    "laptop": "2 hours on 2 cores",
    "paper": "3 hours on 2 cores",
}

MOST_BY_WIDTH = 2.1
"""Points by which narrower networks miss pruning at most, with label noise. Source: section 5.2, conclusion."""
WIDTH_GAP: Mapping[str, Range] = MappingProxyType(
    {
        "lenet": (-4.0, 0.4),
        "resnet20": (0.0, 0.0),
        "vgg16": (1.5, 1.8),
        "resnet32": (0.0, 2.1),
        "resnet50": (0.36, 0.36),
    }
)
"""Least test error of width down-scaling minus that of pruning, over noise levels. Source: section 5.2 (Fig. 7)."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    whole = error_figure(
        bench,
        arms=("pruned", "width"),
        name="fig7",
        title="Figure 7: pruning and width down-scaling",
        claims=(*beside_pruning(bench), *numbers(bench)),
    )
    near = error_figure(
        bench,
        arms=("pruned", "width"),
        noises=bench.noises_of("width"),
        within=MOST_BY_WIDTH,
        name="app-f",
        title="Appendix F: Figure 7 near its optima",
    )
    return study(
        __doc__, size, scale, figures=(whole, near), cautions=optima_inside(bench, "pruned", "width")
    )


def beside_pruning(bench: Benchmark) -> Iterator[Claim]:
    """With noise narrower networks beat the full one and come close to the pruned one, but do not quite reach it."""
    place = "section 5.2 and Fig. 7"
    worse = "width down-scaling at its best has a higher test error than pruning at its best"
    lacks = {
        noise: best(bench, "width", noise) - best(bench, "pruned", noise)
        for noise in bench.noises_of("width")
    }
    yield Says(bench)(
        "width-is-worse-clean", lacks[0.0], MORE, worse, place=f"{place} (there on 4 of 5 benchmarks)"
    )
    for noise in bench.noisy("width"):
        says = Says(bench, noise)
        yield says(
            "width-helps",
            dense(bench, noise) - best(bench, "width", noise),
            MORE,
            "width down-scaling at its best has a lower test error than the full dense network",
            place=place,
        )
        yield says("width-is-worse", lacks[noise], MORE, worse, place=place)
        yield says(
            "width-is-close",
            lacks[noise],
            Direction("less", than=MOST_BY_WIDTH),
            f"the least test error of width down-scaling exceeds that of pruning by no more than {MOST_BY_WIDTH:g} "
            "points",
            place="section 5.2, conclusion",
        )


def numbers(bench: Benchmark) -> Iterator[Claim]:
    """The published range of what width down-scaling lacks."""
    if bench.name not in WIDTH_GAP:
        return
    ends = WIDTH_GAP[bench.name]
    for noise in bench.noisy("width"):
        yield Says(bench, noise)(
            "width-gap",
            best(bench, "width", noise) - best(bench, "pruned", noise),
            around(ends),
            f"the least test error of width down-scaling exceeds that of pruning by {words(ends)} points",
            place="section 5.2",
        )
