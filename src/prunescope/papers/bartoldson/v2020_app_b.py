"""bartoldson2020/appB:
Does a score made for normalized networks widen the range of stability, and does its premise hold?

Filters scored by their expected activation, E[BN], and whether normalized activations are normal.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, v2019_fig_a1, v2020_fig2
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.quantities import STABILITIES
from prunescope.papers.bartoldson.scales import RESNET18, RESNET18_EARLY, VGG11, VGG11_LAYERS, EventSize
from prunescope.sparsity.unit_scores import ExpectedActivation

COST = {"smoke": "a minute or less", "laptop": "2 hours", "paper": "months"}
FIGURE = "Appendix B"
Settings, SCALES = v2020_fig2.Settings, v2020_fig2.SCALES
PLACE = "Bartoldson et al. 2020, section 3.1 and appendix B"
WORST: Mapping[str, Mapping[str, float]] = MappingProxyType({"VGG11": {"l": 29.0}, "ResNet18": {"s": 27.0, "l": 45.0}})
"""Points that the worst event costs, at the high rate, by target (the authors' figure script)."""


def comparisons(settings: v2020_fig2.Settings) -> dict[str, Comparison]:
    """The arms of Figure 2 with filters scored by E[BN]: signed in ResNet18, as in the authors' code."""
    signed = ExpectedActivation(signed=True)
    makers = {
        "VGG11": lambda: arms.three(VGG11, VGG11_LAYERS, settings, score=ExpectedActivation()),
        "ResNet18": lambda: arms.three(RESNET18, RESNET18_EARLY, settings, score=signed),
    }
    return {name: makers[name]() for name in settings.networks}


def build(settings: v2020_fig2.Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    note = "Normality is that of VGG11 trained here; the paper shows a VGG19 trained on ImageNet, without numbers."
    return study(__doc__, settings, scale, _figures(settings), note)


def _figures(settings: v2020_fig2.Settings) -> Iterator[ps.Figure]:
    panels, before = comparisons(settings), v2020_fig2.comparisons(settings)
    title = "Figure B2, left: test accuracy during training"
    claims = [claim for panel, runs in panels.items() for claim in _worst(panel, runs, settings)]
    yield figures.dynamics("figb2-left", title, panels, claims=claims)
    ready = arms.compared(settings, arms.plain(VGG11, settings)).fits()
    yield v2019_fig_a1.histograms("figb1", "Figure B1: normalized activations by layer", settings, ready)
    for panel, runs in panels.items():
        tag, new, old = panel.lower(), runs.pruned, before[panel].pruned
        title = f"Figure B2, right: stability and accuracy, {panel}"
        ranges = [*_ranges(panel, new, old)]
        yield figures.scatter(f"figb2-right-{tag}", title, {panel: new}, "mean_stability", "best", ranges)
        title = f"Correlations, filters scored by E[BN], {panel}"
        pairs = [(x, y) for x in STABILITIES for y in ("best", "final")]
        yield figures.correlations(f"figb2-correlations-{tag}", title, {panel: new}, pairs)


def _ranges(panel: str, new: Comparison, old: Comparison) -> Iterator[ps.Claim]:
    """E[BN] widens the range of stability and of accuracy, and strengthens their correlation."""

    def spread(runs: Comparison, quantity: str) -> ps.Quantity:
        """Between the outermost arms of every replicate."""
        return runs.values(quantity).map(lambda values: values.max(axis=1) - values.min(axis=1))

    says, tag, apart = Says(PLACE), panel.lower(), "E[BN] minus Figure 2's score"
    r, before = (runs.correlation("mean_stability", "best") for runs in (new, old))
    what = f"With filters of {panel} scored by E[BN], best accuracy falls with mean stability."
    yield says(f"{tag}-tradeoff-ebn", what, r, LESS)
    for quantity, what, suffix in (("mean_stability", "stabilities", ""), ("best", "accuracies", "-accuracy")):
        wider = spread(new, quantity) - spread(old, quantity)
        yield says(
            f"{tag}-wider{suffix}",
            f"E[BN] gives a wider range of {what} over the arms of {panel} than the score of Figure 2.",
            wider.named(f"between the outermost arms, {apart}"),
            MORE,
            needs=(new.fits(quantity), old.fits(quantity)),
        )
    what = f"With E[BN], stability and accuracy of {panel} are correlated more strongly, further below 0, than with "
    what += "the score of Figure 2."
    yield says(f"{tag}-stronger", what, (r - before).named(apart), LESS, needs=(*r.needs, *before.needs))


def _worst(panel: str, runs: Comparison, size: EventSize) -> Iterator[ps.Claim]:
    """How much single events cost, as far as the authors' figure scripts say it."""
    _, _, small, large = runs.names
    script = "Figure B2, arrows (from the authors' figure script; tolerance proposed)"
    for letter, cost in WORST[panel].items():
        arm = {"s": small, "l": large}[letter]
        yield Says(f"Bartoldson et al. 2020, {script}", "proposed")(
            f"{panel.lower()}-worst-drop-{letter}-ebn",
            f"With E[BN], the worst event of {arm} in {panel} costs about {cost:g} points of test accuracy.",
            runs.value(arm, "worst_drop"),
            ps.Near(cost, 5.0),
            as_published(size),
        )
