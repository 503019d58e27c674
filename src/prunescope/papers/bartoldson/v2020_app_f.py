"""bartoldson2020/appF: Does the smaller size explain the benefit of pruning?

ResNet18 on CIFAR-100, pruned late, early, and from scratch.
"""

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L1, SCRATCH
from prunescope.papers.bartoldson.claims import Says
from prunescope.papers.bartoldson.quantities import Comparison
from prunescope.papers.bartoldson.scales import RESNET18_CIFAR100, RESNET18_LAST, EventSize, scales_of, words
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "10 hours on 2 cores",
    "paper": "years on 2 cores",
}
FIGURE = "Appendix F"
PLACE = "Bartoldson et al. 2020, appendix F (Table F1; its numbers are not in the text at hand)"
PERIOD = 750
"""Epochs between events."""
Settings = EventSize
SCALES = scales_of(EventSize, smoke={"compress": 800.0}, laptop={"compress": 100.0, "share": 0.1})


def comparison(size: EventSize) -> Comparison:
    """No pruning, the network pruned before training, and its last convolution pruned late, by l1 norms."""
    group, layers = RESNET18_CIFAR100, RESNET18_LAST
    late = [
        arms.pruned(group, layers, size, letter, period=PERIOD, score=L1) for letter in ("S", "L")
    ]
    made = (arms.plain(group, size), arms.scratch(group, layers, size), *late)
    return Comparison(made, observables=arms.observables(size))


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    says, (_, small, large) = Says(one, place=PLACE), one.pruned
    claims = (
        says.gap(
            "large-beats-small",
            "Pruning the largest filters of the last convolution beats pruning the smallest.",
            large,
            small,
        ),
        says.gap(
            "large-beats-scratch",
            "Pruning the largest filters beats training the smaller network from scratch.",
            large,
            SCRATCH,
        ),
        says.gone("parameters-gone", large, 15.0, count="structural", size=settings),
    )
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.means(
                {"ResNet18 on CIFAR-100": one},
                ("best", "final", "mean_stability", "structural"),
                name="tablef1",
                title="Table F1: accuracy and stability",
                claims=claims,
            ),
        ),
        notes=(
            "The paper tests both differences by t-tests, whose results are not in the text at hand; the intervals "
            "here are those of paired differences.",
        ),
    )
