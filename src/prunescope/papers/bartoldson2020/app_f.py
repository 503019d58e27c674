"""bartoldson2020/appF: is it the smaller size? ResNet18 on CIFAR-100, pruned late, early, and from scratch."""

from collections.abc import Mapping
from types import MappingProxyType

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.pruning import RESNET18_LAST, SCRATCH
from prunescope.papers.bartoldson.sizes import PAPER_2020, EventSize, words
from prunescope.papers.bartoldson.statements import compares, smaller
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import setting
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, appendix F (Table F1; its numbers are not in the text at hand)"
PERIOD = 750
Settings = EventSize
SCALES: Mapping[str, EventSize] = MappingProxyType(
    {
        "smoke": setting.SMOKE.replace(compress=800.0),
        "laptop": setting.LAPTOP.replace(compress=100.0, share=0.1),
        "paper": EventSize(),
    }
)


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    group, layers, score = GROUPS["resnet18-cifar100"], RESNET18_LAST, FilterNorm(order=1)
    arms = [pruning.plain_arm(group, settings), pruning.scratch_arm(group, layers, settings)]
    for letter in ("S", "L"):
        arms.append(pruning.filter_arm(group, layers, settings, subscript=letter, period=PERIOD, score=score))
    comparison = Comparison(tuple(arms), look=setting.look(settings))
    small, large = arms[2].name, arms[3].name
    return Study(
        "bartoldson2020/appF",
        "Does the smaller size explain the benefit of pruning?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=(
            views.means(
                {"ResNet18 on CIFAR-100": comparison},
                ("best", "final", "mean_stability", "structural"),
                name="tablef1",
                title="Table F1: accuracy and stability",
            ),
        ),
        claims=(
            compares(
                comparison,
                "large-beats-small",
                "Pruning the largest filters of the last convolution beats pruning the smallest.",
                arm=large,
                over=small,
                place=PLACE,
            ),
            compares(
                comparison,
                "large-beats-scratch",
                "Pruning the largest filters beats training the smaller network from scratch.",
                arm=large,
                over=SCRATCH,
                place=PLACE,
            ),
            smaller(
                comparison,
                "parameters-gone",
                arm=large,
                percent=15.0,
                count="structural",
                size=settings,
                place=PLACE,
            ),
        ),
        notes=(
            "The paper tests both differences by t-tests, whose results are not in the text at hand; the intervals "
            "here are those of paired differences.",
        ),
    )
