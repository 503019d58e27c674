"""jin2022/fig6: Does extended training time alone explain pruning's effect on generalization?

The dense network is trained as long as pruning trains. Drawn is `quantities.test_error` over `quantities.epochs`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import CLOSE, MORE, Range, Says, around, words
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import as_long, best, best_level, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, study
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.quantity import constant
from prunescope.studies.region import Equivalence
from prunescope.studies.study import Study

__all__ = ["SCALES", "build"]

FIGURE = "Figure 6"
COST = {
    "smoke": "half a minute or less on 2 cores",
    "laptop": "2 hours on 2 cores",
    "paper": "4 hours on 2 cores",
}

EXTENDED_GAP: Mapping[str, Range] = MappingProxyType(
    {
        "lenet": (0.0, 2.6),
        "resnet20": (0.4, 14.5),
        "vgg16": (3.6, 34.2),
        "resnet32": (0.0, 4.8),
        "resnet50": (-0.3, -0.3),
    }
)
"""Test error of extended dense training minus pruning, over noise levels, points. Source: section 5.1 (Fig. 6)."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    figure = error_figure(
        bench,
        arms=("pruned", "extended"),
        over="epochs",
        name="fig6",
        title="Figure 6: test error over training epochs",
        claims=(*beside_pruning(bench), *numbers(bench)),
    )
    return study(__doc__, size, scale, figures=(figure,), cautions=optima_inside(bench, "pruned", "extended"))


def beside_pruning(bench: Benchmark, *, margin: float = CLOSE) -> Iterator[Claim]:
    """Extended training does what pruning does without noise, and less with it."""
    yield Says(bench)(
        "extended-matches",
        best(bench, "extended", 0.0) - best(bench, "pruned", 0.0),
        Equivalence(margin),
        f"extended dense training at its best is within {margin:g} points of pruning at its best",
        place="Figs 1a and 6 (the margin is proposed here)",
    )
    for noise in bench.noisy("extended"):
        yield Says(bench, noise)(
            "extended-is-worse",
            best(bench, "extended", noise) - best(bench, "pruned", noise),
            MORE,
            "extended dense training at its best errs more on the test set than pruning does",
            place="section 5.1 and Fig. 6",
        )


def numbers(bench: Benchmark) -> Iterator[Claim]:
    """The published range of what extended training lacks: at its own best, and when it has trained as long."""
    if bench.name not in EXTENDED_GAP:
        return
    ends = EXTENDED_GAP[bench.name]
    for noise in bench.noisy("extended"):
        to_spare = Precondition(
            "extended training was run as long as pruning to its optimum",
            constant(bench.depth("extended", noise), unit="levels to spare")
            - best_level(bench, "pruned", noise, unit="levels to spare"),
            at_least=0,
        )
        for short, pairing, longer, needs in (
            ("best", "its own best", best(bench, "extended", noise), ()),
            ("equal", "equal training", as_long(bench, noise), (to_spare,)),
        ):
            yield Says(bench, noise)(
                f"extended-gap-{short}",
                longer - best(bench, "pruned", noise),
                around(ends),
                f"extended dense training (at {pairing}) errs more than pruning by {words(ends)} points",
                *needs,
                place="section 5.1 (which training length is compared is not said)",
                statement="extended-gap",
            )
