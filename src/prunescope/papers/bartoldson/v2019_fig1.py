"""bartoldson2019/fig1: Do ways of pruning that disrupt a network more generalize better?

Four ways to prune VGG11: the larger the drops, the better the generalization.
"""

from collections.abc import Iterator

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L2
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, fits, log10_p, moves
from prunescope.papers.bartoldson.quantities import Comparison
from prunescope.papers.bartoldson.scales import (
    FAST,
    SLOW,
    VGG11,
    VGG11_LAYERS,
    EventSize,
    scales_of,
    words,
)
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.studies.claim import Claim
from prunescope.studies.region import Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1 hour on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 1"
Settings = EventSize
SCALES = scales_of(EventSize)
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 1"


def comparison(size: EventSize) -> Comparison:
    """No pruning, and the four algorithms: which four they are is proposed here, the legend is not at hand.

    E[BN] takes the normalization of a filter along; the l2 norm leaves its bias, so that a removed filter still puts
    out a constant.

    Source: Bartoldson et al. 2019, sections 2.1 and 3.2 ("our filter-l2-norm pruning approach did not set the
    batch-normalization bias of pruned filters to zero").
    """
    group, layers, expected = VGG11, VGG11_LAYERS, ExpectedActivation()
    made = (
        arms.plain(group, size),
        arms.pruned(group, layers, size, "S", period=SLOW, score=expected, suffix=" E[BN]"),
        arms.pruned(
            group, layers, size, "S", period=SLOW, score=L2, normalization_follows=False, suffix=" l2"
        ),
        arms.pruned(group, layers, size, "S", period=FAST, score=expected, suffix=" E[BN]"),
        arms.pruned(group, layers, size, "L", period=FAST, score=expected, suffix=" E[BN]"),
    )
    return Comparison(made, observables=arms.observables(size))


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    panels = {"VGG11": one}
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2019"],
        figures=(
            figures.drops("VGG11", one, name="fig1-left", title="Figure 1, left: what every event costs"),
            figures.means(
                panels,
                ("mean_positive_drop", "mean_drop", "best", "final"),
                name="fig1-means",
                title="Mean drops and accuracies of every arm",
                claims=_means(one, settings),
            ),
            figures.scatter(
                panels,
                "mean_drop",
                "best",
                arms=one.pruned,
                name="fig1-right",
                title="Figure 1, right: drop and accuracy",
                claims=_right(one, settings),
            ),
            figures.correlations(
                panels,
                (("mean_drop", "best"), ("mean_drop", "final"), ("recalibrated_drop", "best")),
                arms=one.pruned,
                name="fig1-correlations",
                title="Correlations of drop and accuracy",
            ),
        ),
        notes=(
            "Which four algorithms Figure 1 shows is not known here; these four are proposed. Pruning by l2 norms "
            "leaves the bias of normalization alone, as in the paper, which adds to its drops.",
            "The printed p-value of the difference between E[BN] and l2 norms at the low rate, 10e-10, is not claimed: "
            "the text does not say what was tested, nor over what.",
        ),
    )


def _means(one: Comparison, size: EventSize) -> Iterator[Claim]:
    """At the low rate E[BN] disrupts less than norms; and how much is removed in all."""
    gentle, by_norm, *_, large = one.pruned
    says = Says(one, place="Bartoldson et al. 2019, section 3.2")
    yield says.gone(
        "parameters-gone",
        large,
        42.0,
        count="own",
        size=size,
        place=f"{PLACE}, caption (of 9,231,114)",
    )
    yield says.gap(
        "expected-activation-is-gentler",
        "At the low rate, E[BN] disrupts test accuracy less than filters' l2 norms.",
        gentle,
        by_norm,
        "mean_drop",
        LESS,
    )
    yield says.gap(
        "expected-activation-is-gentler-by",
        "At the low rate, E[BN] lowers the mean drop by 0.02 points (tolerance proposed).",
        gentle,
        by_norm,
        "mean_drop",
        Near(-0.02, 0.02),
        needs=(as_published(size), fits(one, arms=(gentle, by_norm))),
    )


def _right(one: Comparison, size: EventSize) -> Iterator[Claim]:
    """Accuracy rises with the drop, as much as is printed."""
    says, x, y = Says(one, place=PLACE, arms=one.pruned), "mean_drop", "best"
    exact = (as_published(size), fits(one, x, y, arms=one.pruned), moves(one, x, arms=one.pruned))
    yield says.correlation(
        "drop-and-accuracy",
        "Over the runs of four algorithms, accuracy rises with the mean drop.",
        x,
        y,
        MORE,
    )
    yield says.correlation(
        "drop-and-accuracy-r",
        "That correlation is .84 (tolerance: Fisher's interval at 40 runs).",
        x,
        y,
        Near(0.84, 0.13),
        basis="proposed",
        place=f"{PLACE} gives r = .84; which four algorithms it is of is proposed here",
        needs=exact,
    )
    yield says(
        "drop-and-accuracy-p",
        "Its p-value is 1.6e-11 (tolerance: at the farther end of Fisher's interval at 40 runs).",
        *log10_p(one, x, y, "greater", p=1.6e-11, tolerance=4.9, runs=40, arms=one.pruned),
        basis="proposed",
        place=f"{PLACE} gives p = 1.6e-11; which four algorithms it is of is proposed here",
        needs=exact,
    )
