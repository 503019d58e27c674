"""bartoldson2020/appF: Does the smaller size explain the benefit of pruning?

ResNet18 on CIFAR-100, pruned late, early, and from scratch.
"""

from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import RESNET18_CIFAR100, RESNET18_LAST, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "10 hours", "paper": "years"}
FIGURE = "Appendix F"
PLACE = "Bartoldson et al. 2020, appendix F (Table F1; its numbers are not in the text at hand)"
PERIOD = 750
"""Epochs between events."""
Settings = EventSize
SCALES = scales_of(EventSize, smoke={"compress": 800.0}, laptop={"compress": 100.0, "share": 0.1})


def _figures(size: EventSize) -> Figures:
    group, layers = RESNET18_CIFAR100, RESNET18_LAST
    late = [arms.pruned(group, layers, size, letter, period=PERIOD, score=arms.L1) for letter in ("S", "L")]
    runs = arms.compared(group, size, arms.scratch(group, layers, size), *late)
    says, (_, scratch, small, large) = Says(PLACE), runs.names
    what = "Pruning the largest filters of the last convolution beats pruning the smallest."
    beats_small = says("large-beats-small", what, runs.gap(large, small), MORE)
    what = "Pruning the largest filters beats training the smaller network from scratch."
    beats_scratch = says("large-beats-scratch", what, runs.gap(large, scratch), MORE)
    claims = (beats_small, beats_scratch, says.gone("parameters-gone", runs, large, 15.0, "structural", size))
    panels, shown = {"ResNet18 on CIFAR-100": runs}, ("best", "final", "mean_stability", "structural")
    yield figures.means("tablef1", "Table F1: accuracy and stability", panels, shown, claims)


build = builder(
    __doc__,
    _figures,
    "The paper tests both differences by t-tests, whose results are not in the text at hand; the intervals here are "
    "those of paired differences.",
)
