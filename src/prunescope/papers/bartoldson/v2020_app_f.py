"""bartoldson2020/appF: Does the smaller size explain the benefit of pruning?

ResNet18 on CIFAR-100, pruned late, early, and from scratch.
"""

from collections.abc import Iterator

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.arms import L1
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.scales import RESNET18_CIFAR100, RESNET18_LAST, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "10 hours", "paper": "years"}
FIGURE = "Appendix F"
PLACE = "Bartoldson et al. 2020, appendix F (Table F1; its numbers are not in the text at hand)"
PERIOD = 750
"""Epochs between events."""
Settings = EventSize
SCALES = scales_of(EventSize, smoke={"compress": 800.0}, laptop={"compress": 100.0, "share": 0.1})


def build(settings: EventSize, scale: str) -> ps.Study:
    """The study under these settings."""
    group, layers = RESNET18_CIFAR100, RESNET18_LAST
    plain, scratch = arms.plain(group, settings), arms.scratch(group, layers, settings)
    late = [arms.pruned(group, layers, settings, letter, period=PERIOD, score=L1) for letter in ("S", "L")]
    runs = arms.compared(settings, plain, scratch, *late)
    panels, shown = {"ResNet18 on CIFAR-100": runs}, ("best", "final", "mean_stability", "structural")
    claims = _claims(runs, settings)
    return study(
        __doc__,
        settings,
        scale,
        [figures.means("tablef1", "Table F1: accuracy and stability", panels, shown, claims)],
        "The paper tests both differences by t-tests, whose results are not in the text at hand; the intervals "
        "here are those of paired differences.",
    )


def _claims(runs: Comparison, size: EventSize) -> Iterator[ps.Claim]:
    """Pruning late beats the same size from the beginning."""
    says, (_, scratch, small, large) = Says(PLACE), runs.names
    what = "Pruning the largest filters of the last convolution beats pruning the smallest."
    yield says("large-beats-small", what, runs.gap(large, small), MORE)
    what = "Pruning the largest filters beats training the smaller network from scratch."
    yield says("large-beats-scratch", what, runs.gap(large, scratch), MORE)
    yield says.gone("parameters-gone", runs, large, 15.0, "structural", size)
