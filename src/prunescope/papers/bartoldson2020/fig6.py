"""bartoldson2020/fig6: less stable pruning leads to flatter minima, and flatter minima generalize better."""

from functools import partial

from prunescope.papers.bartoldson import curves, views
from prunescope.papers.bartoldson.arms import STABILITIES
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import PAPER_2020, FlatnessSize, words
from prunescope.papers.bartoldson.statements import correlates, falls, fits, is_number, moves, whole
from prunescope.papers.bartoldson2020 import flatness, setting
from prunescope.papers.bartoldson2020.flatness import SHARPNESS, TRACE_C, TRACE_H
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.study import Study

Settings = FlatnessSize
SCALES = flatness.SCALES
PLACE = "Bartoldson et al. 2020, section 3.4 and Figure 6"
SIGNIFICANT = -0.254
"""Pearson's correlation that has p = .05 over 60 runs: six arms, ten runs each."""


def build(settings: FlatnessSize, scale: str) -> Study:
    """The study under these settings."""
    comparison = setting.six(settings, flatness.main(settings))
    panels = {"VGG11": comparison}
    asserts = partial(correlates, comparison, place=PLACE)
    claims = []
    for tag, measure in (("h", TRACE_H), ("c", TRACE_C)):
        claims += [
            asserts(
                f"stability-trace-{tag}",
                f"Over the runs of six arms, {measure} rises with mean stability.",
                x="mean_stability",
                y=measure,
                region=Direction("greater"),
            ),
            asserts(
                f"trace-{tag}-accuracy",
                f"Over the runs of six arms, best test accuracy falls with {measure}.",
                x=measure,
                y="best",
                region=Direction("less"),
            ),
            asserts(
                f"trace-{tag}-accuracy-significant",
                f"That correlation with {measure} would be significant over the paper's 60 runs: it is below "
                f"{SIGNIFICANT:g}.",
                x=measure,
                y="best",
                region=Direction("less", than=SIGNIFICANT),
            ),
        ]
    claims.append(
        correlates(
            comparison,
            "mediation",
            f"With {TRACE_H} held fixed, stability and best accuracy are hardly correlated: flatness is the mediator.",
            x="mean_stability",
            y="best",
            given=TRACE_H,
            region=Equivalence(0.3),
            basis="proposed",
            place=f"{PLACE}, which says that flatness may mediate; test and margin are proposed here",
            preconditions=(
                fits(comparison, "mean_stability", TRACE_H, "best"),
                moves(comparison),
                falls(comparison, "mean_stability", "best"),
            ),
        )
    )
    claims.append(
        is_number(
            comparison,
            "trace-c-size",
            f"{TRACE_C} of the network without pruning is 1,300 to 5,300.",
            arm=NONE,
            quantity=TRACE_C,
            value=3300.0,
            tolerance=2000.0,
            basis="proposed",
            place="Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)",
            preconditions=(whole(settings, "flat_images"), fits(comparison, TRACE_C, arms=(NONE,))),
        )
    )
    figures = []
    for tag, measure in (("h", TRACE_H), ("c", TRACE_C), ("sharpness", SHARPNESS)):
        title = f"Figure 6: {measure}" if measure != SHARPNESS else "Beside Figure 6: adaptive sharpness"
        figures += [
            views.scatter(
                panels,
                "mean_stability",
                measure,
                name=f"fig6-stability-{tag}",
                title=f"{title} and stability",
            ),
            views.scatter(
                panels, measure, "best", name=f"fig6-accuracy-{tag}", title=f"{title} and accuracy"
            ),
            views.correlations(
                panels,
                [("mean_stability", measure), *((measure, y) for y in ("best", "final"))],
                name=f"fig6-correlations-{tag}",
                title=f"Correlations of {measure} with stability and with accuracy",
            ),
        ]
    figures += [
        curves.by_layer(comparison, measure, name=f"fig6-layers-{tag}", title=f"{measure} by parameter")
        for tag, measure in (("h", TRACE_H), ("c", TRACE_C))
    ]
    figures.append(
        views.correlations(
            panels,
            [(x, y) for x in STABILITIES for y in ("best", "final")],
            given=(TRACE_H, TRACE_C, SHARPNESS),
            name="fig6-mediation",
            title="Stability and accuracy, with flatness held fixed",
        )
    )
    figures.append(
        views.means(
            panels,
            ("best", "final", "train_at_moment", "mean_stability", TRACE_H, TRACE_C, SHARPNESS),
            name="fig6-means",
            title="Means of every arm",
        )
    )
    return Study(
        "bartoldson2020/fig6",
        "Is the benefit of unstable pruning mediated by flatness?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=tuple(figures),
        claims=tuple(claims),
        notes=(
            f"Flatness is taken on the first {settings.flat_images} test images, in evaluation mode, after "
            f"{comparison.look.moment.removesuffix('ep')} epochs; {TRACE_H} is the whole trace, where the authors sum "
            "100 eigenvalues (see bartoldson2020/appE). Both traces change with the scale of weights before BatchNorm, "
            "which changes nothing in the network; adaptive sharpness does not.",
            "No correlation is claimed by its value: the text at hand prints none for this figure.",
        ),
    )
