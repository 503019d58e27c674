"""bartoldson2020/appB:
Does a score made for normalized networks widen the range of stability, and does its premise hold?

Filters scored by their expected activation, E[BN], and whether normalized activations are normal.
"""

from collections.abc import Mapping

import numpy as np

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, v2019_fig_a1, v2020_fig2
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import RESNET18, RESNET18_EARLY, VGG11, VGG11_LAYERS, EventSize
from prunescope.sparsity.unit_scores import ExpectedActivation

COST = {"smoke": "a minute or less", "laptop": "2 hours", "paper": "months"}
FIGURE = "Appendix B"
Settings, SCALES = v2020_fig2.Settings, v2020_fig2.SCALES
PLACE = "Bartoldson et al. 2020, section 3.1 and appendix B"
WORST: Mapping[str, Mapping[str, float]] = {"VGG11": {"l": 29.0}, "ResNet18": {"s": 27.0, "l": 45.0}}
"""Points that the worst event costs, at the high rate, by target (the authors' figure script)."""


def comparisons(settings: v2020_fig2.Settings) -> dict[str, Comparison]:
    """The arms of Figure 2 with filters scored by E[BN]: signed in ResNet18, as in the authors' code."""
    ways = {
        "VGG11": (VGG11, VGG11_LAYERS, ExpectedActivation()),
        "ResNet18": (RESNET18, RESNET18_EARLY, ExpectedActivation(signed=True)),
    }
    chosen = {name: ways[name] for name in settings.networks}
    return {name: arms.three(group, layers, settings, score=score) for name, (group, layers, score) in chosen.items()}


def _figures(settings: v2020_fig2.Settings) -> Figures:
    panels, before = comparisons(settings), v2020_fig2.comparisons(settings)
    claims = [claim for panel, runs in panels.items() for claim in _worst(panel, runs, settings)]
    yield figures.dynamics("figb2-left", "Figure B2, left: test accuracy during training", panels, claims)
    ready = arms.compared(VGG11, settings).fits()
    yield v2019_fig_a1.histograms("figb1", "Figure B1: normalized activations by layer", settings, ready)
    for panel, runs in panels.items():
        tag, new = panel.lower(), {panel: runs.pruned}
        title, ranges = f"Figure B2, right: stability and accuracy, {panel}", _ranges(panel, runs, before[panel])
        yield figures.scatter(f"figb2-right-{tag}", title, new, "mean_stability", "best", ranges)
        title = f"Correlations, filters scored by E[BN], {panel}"
        yield figures.correlations(f"figb2-correlations-{tag}", title, new)


def _ranges(panel: str, *scored: Comparison) -> Claims:
    """E[BN] widens the range of stability and of accuracy, and strengthens their correlation."""
    new, old = (runs.pruned for runs in scored)
    says, tag, apart = Says(PLACE), panel.lower(), "E[BN] minus Figure 2's score"
    r, before = (runs.correlation("mean_stability", "best") for runs in (new, old))
    what = f"With filters of {panel} scored by E[BN], best accuracy falls with mean stability."
    yield says(f"{tag}-tradeoff-ebn", what, r, LESS)
    for quantity, what, suffix in (("mean_stability", "stabilities", ""), ("best", "accuracies", "-accuracy")):
        wide, narrow = (runs.values(quantity).map(lambda values: np.ptp(values, axis=1)) for runs in (new, old))
        what = f"E[BN] gives a wider range of {what} over the arms of {panel} than the score of Figure 2."
        wider = (wide - narrow).named(f"between the outermost arms, {apart}")
        yield says(f"{tag}-wider{suffix}", what, wider, MORE, needs=(new.fits(quantity), old.fits(quantity)))
    what = f"With E[BN], stability and accuracy of {panel} are correlated more strongly, further below 0, than with "
    what += "the score of Figure 2."
    yield says(f"{tag}-stronger", what, (r - before).named(apart), LESS, needs=(*r.needs, *before.needs))


def _worst(panel: str, runs: Comparison, size: EventSize) -> Claims:
    """How much single events cost, as far as the authors' figure scripts say it."""
    _, _, small, large = runs.names
    script = "Figure B2, arrows (from the authors' figure script; tolerance proposed)"
    says = Says(f"Bartoldson et al. 2020, {script}", "proposed")
    for letter, cost in WORST[panel].items():
        arm = {"s": small, "l": large}[letter]
        what, worst = f"With E[BN], the worst event of {arm} in {panel}", runs.value(arm, "worst_drop")
        what = f"{what} costs about {cost:g} points of test accuracy."
        yield says(f"{panel.lower()}-worst-drop-{letter}-ebn", what, worst, ps.Near(cost, 5.0), as_published(size))


build = builder(
    __doc__,
    _figures,
    "Normality is that of VGG11 trained here; the paper shows a VGG19 trained on ImageNet, without numbers.",
)
