"""bartoldson2020/fig2: Does less stable pruning lead to better generalization?

The less stable the pruning, the better the generalization, in VGG11 and in ResNet18.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published, from_ends, p_value
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import Distinct, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "1 hour", "paper": "months"}
FIGURE = "Figure 2"
PLACE = "Bartoldson et al. 2020, section 3.1 and Figure 2"
Name = Literal["VGG11", "ResNet18"]


class Settings(EventSize):
    """How much is run.

    networks: which of the figure's networks.
    """

    networks: Distinct[Name] = Field(default=("VGG11", "ResNet18"), min_length=1)


SCALES = scales_of(Settings, smoke={"networks": ("VGG11",)}, laptop={"networks": ("VGG11",)})


@dataclass(frozen=True)
class Published:
    """What is printed or drawn of a network.

    r, log_p: of stability and accuracy over 30 runs, and the distance from there to the farther end of Fisher's 95 %
        interval of r at 30 runs, which is not symmetric.
    p: as it is printed.
    low, high: ends of the axis of accuracy in the authors' script.
    gone, count: parameters that are removed, percent, and which of two counts that is.
    worst: points that the worst event costs, at the high rate, by target.
    """

    r: ps.Near
    p: float
    log_p: ps.Near
    low: float
    high: float
    gone: float
    count: str
    worst: Mapping[str, float]


PUBLISHED: Mapping[str, Published] = {
    "VGG11": Published(ps.Near(-0.73, 0.23), 4.4e-6, ps.Near(-5.36, 3.8), 83.0, 86.5, 42.0, "own", {"l": 7.0}),
    "ResNet18": Published(
        ps.Near(-0.43, 0.35), 0.015, ps.Near(-1.82, 2.7), 84.0, 88.5, 46.0, "structural", {"s": 7.0, "l": 9.0}
    ),
}


def comparisons(settings: Settings) -> dict[str, Comparison]:
    """The arms by network."""
    makers = {"VGG11": arms.vgg11, "ResNet18": arms.resnet18}
    return {name: makers[name](settings) for name in settings.networks}


def _figures(size: Settings) -> Figures:
    panels = comparisons(size)
    claims = [claim for panel, runs in panels.items() for claim in _events(panel, runs, size)]
    yield figures.dynamics("fig2-left", "Figure 2, left: test accuracy during training", panels, claims)
    for panel, runs in panels.items():
        tag, three, title = panel.lower(), {panel: runs.pruned}, f"Figure 2, right: stability and accuracy, {panel}"
        tradeoff = _tradeoff(panel, runs, size)
        yield figures.scatter(f"fig2-right-{tag}", title, three, "mean_stability", "best", tradeoff)
        yield figures.correlations(
            f"fig2-correlations-{tag}", f"Correlations of stability and accuracy, {panel}", three
        )
    shown = ("best", "final", "train_at_best", "train", "mean_stability", "recovery", "recovered", "recovered_soon")
    claims = [claim for panel, runs in panels.items() for claim in _arms(panel, runs, size)]
    yield figures.means("fig2-means", "Means of every arm", panels, (*shown, "own", "structural"), claims)


def _events(panel: str, runs: Comparison, size: EventSize) -> Claims:
    """Events cost accuracy, which comes back."""
    tag, (_, _, small, large) = panel.lower(), runs.names
    yield Says("Bartoldson et al. 2020, section 3.1").recovers(f"{tag}-recovers", runs, large)
    script = "arrows (from the authors' figure script, near epoch 250; tolerance proposed)"
    says = Says(f"{PLACE}, {script}", "proposed")
    for letter, cost in PUBLISHED[panel].worst.items():
        arm = {"s": small, "l": large}[letter]
        what, worst = f"The worst event of {arm} in {panel}", runs.value(arm, "worst_drop")
        what = f"{what} costs about {cost:g} points of test accuracy."
        yield says(f"{tag}-worst-drop-{letter}", what, worst, ps.Near(cost, 3.0), as_published(size))


def _tradeoff(panel: str, runs: Comparison, size: EventSize) -> Claims:
    """Accuracy falls with stability, as much as is printed."""
    says, tag, printed, paper = Says(PLACE), panel.lower(), PUBLISHED[panel], as_published(size)
    r = runs.pruned.correlation("mean_stability", "best")
    p = p_value(runs.pruned, "mean_stability", "best", "less", runs=30)
    what = f"Over the runs of three ways to prune {panel}, best test accuracy falls with mean stability."
    yield says(f"{tag}-tradeoff", what, r, LESS)
    what = f"That correlation is {printed.r.value} in {panel} (tolerance: Fisher's interval at 30 runs)."
    yield says(f"{tag}-tradeoff-r", what, r, printed.r, paper)
    what = f"Its p-value is {printed.p:g} (tolerance: at the farther end of Fisher's interval at 30 runs)."
    yield says(f"{tag}-tradeoff-p", what, p, printed.log_p, paper)
    axis = Says(f"{PLACE} (ends of an axis in the authors' figure script)", "proposed")
    what = f"Best accuracy of every arm of {panel} is between {printed.low:g} and {printed.high:g} %."
    yield axis(f"{tag}-window", what, from_ends(runs, printed.low, printed.high), ps.Among(MORE), paper)


def _arms(panel: str, runs: Comparison, size: EventSize) -> Claims:
    """The arm that is least stable is the best."""
    says, tag, printed, (none, slow, small, large) = Says(PLACE), panel.lower(), PUBLISHED[panel], runs.names
    harsh = f"Pruning the largest filters of {panel} at the high rate"
    what = f"{harsh} beats pruning the smallest at the low rate."
    yield says(f"{tag}-unstable-beats-stable", what, runs.gap(large, slow), MORE)
    yield says(f"{tag}-unstable-beats-none", f"{harsh} beats no pruning.", runs.gap(large, none), MORE)
    what = f"{harsh} is less stable than the smallest at the same."
    yield says(f"{tag}-large-is-unstable", what, runs.gap(large, small, "mean_stability"), LESS)
    what = f"The same as {tag}-unstable-beats-none, the best of both taken from the last event of the pruned one on."
    window = Says(f"{PLACE} (there the best of unpruned networks is over all epochs)", "proposed")
    yield window(f"{tag}-unstable-beats-none-late", what, runs.gap_in_window(large, none), MORE)
    what = f"The same as {tag}-unstable-beats-none without selection: after the last epoch, on the whole test set."
    proposed = Says("the final accuracy is not reported there", "proposed")
    yield proposed(f"{tag}-unstable-beats-none-final", what, runs.gap(large, none, "test"), MORE)
    yield says.gone(f"{tag}-parameters-gone", runs, large, printed.gone, printed.count, size)


build = builder(
    __doc__,
    _figures,
    "Best accuracy is the maximum over all epochs from the last event on, on the test set itself, as in the authors' "
    "code (the text says 'final test accuracy'); the final one is not selected. The paper's correlations are over the "
    "three pruned arms.",
    "The best of a network that is not pruned is over all epochs, that of a pruned one over those from its last event "
    "on; over a window that both share it stands beside.",
)
