"""bartoldson2020/appB: Does a score made for normalized networks widen the range of stability, and does its premise hold?

Filters scored by their expected activation, E[BN], and whether normalized activations are normal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prunescope.papers.bartoldson import PAPERS, arms, figures, v2019_fig_a1, v2020_fig2
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, fits, moves
from prunescope.papers.bartoldson.quantities import STABILITIES, Comparison
from prunescope.papers.bartoldson.scales import (
    RESNET18,
    RESNET18_EARLY,
    VGG11,
    VGG11_LAYERS,
    EventSize,
    words,
)
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.quantity import Quantity, side_by_side
from prunescope.studies.region import Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "2 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Appendix B"
Settings, SCALES = v2020_fig2.Settings, v2020_fig2.SCALES
PLACE = "Bartoldson et al. 2020, section 3.1 and appendix B"
WORST: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"VGG11": {"l": 29.0}, "ResNet18": {"s": 27.0, "l": 45.0}}
)
"""Points that the worst event costs, at the high rate, by target (the authors' figure script)."""


def comparisons(settings: v2020_fig2.Settings) -> dict[str, Comparison]:
    """The arms of Figure 2 with filters scored by E[BN]: signed in ResNet18, as in the authors' code."""
    signed = ExpectedActivation(signed=True)
    makers = {
        "VGG11": lambda: arms.three(VGG11, VGG11_LAYERS, settings, score=ExpectedActivation()),
        "ResNet18": lambda: arms.three(RESNET18, RESNET18_EARLY, settings, score=signed),
    }
    return {name: makers[name]() for name in settings.networks}


def build(settings: v2020_fig2.Settings, scale: str) -> Study:
    """The study under these settings."""
    panels, before = comparisons(settings), v2020_fig2.comparisons(settings)
    unpruned = Comparison((arms.plain(VGG11, settings),), observables=arms.observables(settings))
    premise = "Figure B1: normalized activations by layer"
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.dynamics(
                panels,
                name="figb2-left",
                title="Figure B2, left: test accuracy during training",
                claims=[claim for panel, one in panels.items() for claim in _worst(panel, one, settings)],
            ),
            v2019_fig_a1.histograms(settings, fits(unpruned), name="figb1", title=premise),
            *(
                figure
                for panel, one in panels.items()
                for figure in _figures(panel, Range(one), Range(before[panel]))
            ),
        ),
        notes=(
            "Normality is that of VGG11 trained here; the paper shows a VGG19 trained on ImageNet, without numbers.",
        ),
    )


@dataclass(frozen=True)
class Range:
    """What the three ways to prune of Figure 2 under one score differ by."""

    one: Comparison

    def spread(self, quantity: str) -> Quantity:
        """Of a quantity between the outermost arms of every replicate."""
        values = side_by_side([self.one.value(arm, quantity) for arm in self.one.pruned])
        return values.map(lambda found: found.max(axis=1) - found.min(axis=1))

    def r(self) -> Quantity:
        """The correlation of stability and accuracy."""
        return self.one.correlation("mean_stability", "best", arms=self.one.pruned)


def _figures(panel: str, new: Range, old: Range) -> Iterator[Figure]:
    one, tag = new.one, panel.lower()
    yield figures.scatter(
        {panel: one},
        "mean_stability",
        "best",
        arms=one.pruned,
        name=f"figb2-right-{tag}",
        title=f"Figure B2, right: stability and accuracy, {panel}",
        claims=_claims(panel, new, old),
    )
    yield figures.correlations(
        {panel: one},
        [(x, y) for x in STABILITIES for y in ("best", "final")],
        arms=one.pruned,
        name=f"figb2-correlations-{tag}",
        title=f"Correlations, filters scored by E[BN], {panel}",
    )


def _claims(panel: str, new: Range, old: Range) -> Iterator[Claim]:
    """E[BN] widens the range of stability and of accuracy, and strengthens their correlation."""
    tag, apart, x, y = panel.lower(), "E[BN] minus Figure 2's score", "mean_stability", "best"
    says = Says(new.one, place=PLACE, arms=new.one.pruned)
    yield says.correlation(
        f"{tag}-tradeoff-ebn",
        f"With filters of {panel} scored by E[BN], best accuracy falls with mean stability.",
        x,
        y,
        LESS,
    )
    for quantity, what, suffix in ((x, "stabilities", ""), (y, "accuracies", "-accuracy")):
        yield says(
            f"{tag}-wider{suffix}",
            f"E[BN] gives a wider range of {what} over the arms of {panel} than the score of Figure 2.",
            (new.spread(quantity) - old.spread(quantity)).named(f"between the outermost arms, {apart}"),
            MORE,
            needs=[fits(ways.one, quantity, arms=ways.one.pruned) for ways in (new, old)],
        )
    yield says(
        f"{tag}-stronger",
        f"With E[BN], stability and accuracy of {panel} are correlated more strongly, further below 0, than with the "
        "score of Figure 2.",
        (new.r() - old.r()).named(apart),
        LESS,
        needs=[
            ready
            for one in (new.one, old.one)
            for ready in (fits(one, x, y, arms=one.pruned), moves(one, arms=one.pruned))
        ],
    )


def _worst(panel: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """How much single events cost, as far as the authors' figure scripts say it."""
    _, small, large = one.pruned
    for letter, cost in WORST[panel].items():
        arm = {"s": small, "l": large}[letter]
        yield Says(one, place=PLACE, basis="proposed")(
            f"{panel.lower()}-worst-drop-{letter}-ebn",
            f"With E[BN], the worst event of {arm} in {panel} costs about {cost:g} points of test accuracy.",
            one.value(arm, "worst_drop"),
            Near(cost, 5.0),
            place="Bartoldson et al. 2020, Figure B2, arrows (from the authors' figure script; tolerance proposed)",
            needs=(as_published(size), fits(one, arms=(arm,))),
        )
