"""bartoldson2020/fig6: Is the benefit of unstable pruning mediated by flatness?

Less stable pruning leads to flatter minima, and flatter minima generalize better.
"""

from collections.abc import Iterator

from prunescope.papers.bartoldson import PAPERS, arms, figures, flatness
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, falls, fits, moves
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_C, TRACE_H
from prunescope.papers.bartoldson.quantities import STABILITIES, Comparison
from prunescope.papers.bartoldson.scales import FlatnessSize, scales_of, words
from prunescope.studies import correlation
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Equivalence, Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1.5 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 6"
Settings = FlatnessSize
SCALES = scales_of(FlatnessSize)
PLACE = "Bartoldson et al. 2020, section 3.4 and Figure 6"
SIGNIFICANT = -0.254
"""Pearson's correlation that has p = .05 over 60 runs: six arms, ten runs each."""
TAGS = {"h": TRACE_H, "c": TRACE_C, "sharpness": SHARPNESS}


def build(settings: FlatnessSize, scale: str) -> Study:
    """The study under these settings."""
    one = arms.six(settings, flatness.main(settings))
    panels = {"VGG11": one}
    drawn = []
    for tag, measure in TAGS.items():
        title = f"Figure 6: {measure}" if measure != SHARPNESS else "Beside Figure 6: adaptive sharpness"
        drawn += [
            figures.scatter(
                panels,
                "mean_stability",
                measure,
                name=f"fig6-stability-{tag}",
                title=f"{title} and stability",
                claims=_stability(one, tag),
            ),
            figures.scatter(
                panels,
                measure,
                "best",
                name=f"fig6-accuracy-{tag}",
                title=f"{title} and accuracy",
                claims=_accuracy(one, tag),
            ),
            figures.correlations(
                panels,
                [("mean_stability", measure), *((measure, y) for y in ("best", "final"))],
                name=f"fig6-correlations-{tag}",
                title=f"Correlations of {measure} with stability and with accuracy",
            ),
        ]
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            *drawn,
            *(
                figures.by_layer(
                    one, TAGS[tag], name=f"fig6-layers-{tag}", title=f"{TAGS[tag]} by parameter"
                )
                for tag in ("h", "c")
            ),
            figures.correlations(
                panels,
                [(x, y) for x in STABILITIES for y in ("best", "final")],
                given=(TRACE_H, TRACE_C, SHARPNESS),
                name="fig6-mediation",
                title="Stability and accuracy, with flatness held fixed",
                claims=[_mediation(one)],
            ),
            figures.means(
                panels,
                ("best", "final", "train_at_moment", "mean_stability", TRACE_H, TRACE_C, SHARPNESS),
                name="fig6-means",
                title="Means of every arm",
                claims=[_size(one, settings)],
            ),
        ),
        notes=(
            f"Flatness is taken on the first {settings.flat_images} test images, in evaluation mode, after "
            f"{one.observables.moment.removesuffix('ep')} epochs; {TRACE_H} is the whole trace, where the authors sum "
            "100 eigenvalues (see bartoldson2020/appE). Both traces change with the scale of weights before BatchNorm, "
            "which changes nothing in the network; adaptive sharpness does not.",
            "No correlation is claimed by its value: the text at hand prints none for this figure.",
        ),
    )


def _stability(one: Comparison, tag: str) -> Iterator[Claim]:
    """Traces rise with stability."""
    if tag != "sharpness":
        yield Says(one, place=PLACE).correlation(
            f"stability-trace-{tag}",
            f"Over the runs of six arms, {TAGS[tag]} rises with mean stability.",
            "mean_stability",
            TAGS[tag],
            MORE,
        )


def _accuracy(one: Comparison, tag: str) -> Iterator[Claim]:
    """Accuracy falls with traces, significantly."""
    says, measure = Says(one, place=PLACE), TAGS[tag]
    if tag != "sharpness":
        yield says.correlation(
            f"trace-{tag}-accuracy",
            f"Over the runs of six arms, best test accuracy falls with {measure}.",
            measure,
            "best",
            LESS,
        )
        yield says.correlation(
            f"trace-{tag}-accuracy-significant",
            f"That correlation with {measure} would be significant over the paper's 60 runs: it is below "
            f"{SIGNIFICANT:g}.",
            measure,
            "best",
            Direction("less", than=SIGNIFICANT),
        )


def _mediation(one: Comparison) -> Claim:
    """With flatness held fixed, hardly any of the correlation remains."""
    x, y = "mean_stability", "best"
    unit = f"the partial correlation, {TRACE_H} held fixed"
    return Says(one, place=PLACE, basis="proposed")(
        "mediation",
        f"With {TRACE_H} held fixed, stability and best accuracy are hardly correlated: flatness is the mediator.",
        one.correlation(x, y, correlation.r_partial, given=(TRACE_H,), unit=unit),
        Equivalence(0.3),
        place=f"{PLACE}, which says that flatness may mediate; test and margin are proposed here",
        needs=(fits(one, x, TRACE_H, y), moves(one), falls(one, x, y)),
    )


def _size(one: Comparison, settings: FlatnessSize) -> Claim:
    """Tr(C) is as large as the authors draw it."""
    return Says(one, place=PLACE, basis="proposed")(
        "trace-c-size",
        f"{TRACE_C} of the network without pruning is 1,300 to 5,300.",
        one.value(NONE, TRACE_C),
        Near(3300.0, 2000.0),
        place="Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)",
        needs=(as_published(settings, "flat_images"), fits(one, TRACE_C, arms=(NONE,))),
    )
