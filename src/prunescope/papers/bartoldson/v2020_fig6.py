"""bartoldson2020/fig6: Is the benefit of unstable pruning mediated by flatness?

Less stable pruning leads to flatter minima, and flatter minima generalize better.
"""

from collections.abc import Iterator

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, flatness
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, falls
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_C, TRACE_H
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.quantities import STABILITIES
from prunescope.papers.bartoldson.scales import FlatnessSize, scales_of
from prunescope.studies import correlation

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "Figure 6"
PLACE = "Bartoldson et al. 2020, section 3.4 and Figure 6"
SIGNIFICANT = ps.Direction("less", than=-0.254)
"""Pearson's correlation that has p = .05 over 60 runs: six arms, ten runs each."""
TRACES = {"h": TRACE_H, "c": TRACE_C}
Settings = FlatnessSize
SCALES = scales_of(FlatnessSize)


def build(settings: FlatnessSize, scale: str) -> ps.Study:
    """The study under these settings."""
    runs = arms.six(settings, flatness.main(settings))
    return study(
        __doc__,
        settings,
        scale,
        _figures(runs, settings),
        f"Flatness is taken on the first {settings.flat_images} test images, in evaluation mode, after "
        f"{runs.observables.moment.removesuffix('ep')} epochs; {TRACE_H} is the whole trace, where the authors sum "
        "100 eigenvalues (see bartoldson2020/appE). Both traces change with the scale of weights before BatchNorm, "
        "which changes nothing in the network; adaptive sharpness does not.",
        "No correlation is claimed by its value: the text at hand prints none for this figure.",
    )


def _figures(runs: Comparison, size: FlatnessSize) -> Iterator[ps.Figure]:
    panels, x, y = {"VGG11": runs}, "mean_stability", "best"
    for tag, measure in {**TRACES, "sharpness": SHARPNESS}.items():
        what = f"Figure 6: {measure}" if tag in TRACES else "Beside Figure 6: adaptive sharpness"
        claims = [_stability(runs, tag)] if tag in TRACES else []
        yield figures.scatter(f"fig6-stability-{tag}", f"{what} and stability", panels, x, measure, claims)
        claims = list(_accuracy(runs, tag)) if tag in TRACES else []
        yield figures.scatter(f"fig6-accuracy-{tag}", f"{what} and accuracy", panels, measure, y, claims)
        title = f"Correlations of {measure} with stability and with accuracy"
        pairs = [(x, measure), *((measure, accuracy) for accuracy in ("best", "final"))]
        yield figures.correlations(f"fig6-correlations-{tag}", title, panels, pairs)
    for tag, measure in TRACES.items():
        yield figures.by_layer(f"fig6-layers-{tag}", f"{measure} by parameter", runs, measure)
    yield figures.correlations(
        "fig6-mediation",
        "Stability and accuracy, with flatness held fixed",
        panels,
        [(stability, accuracy) for stability in STABILITIES for accuracy in ("best", "final")],
        given=(TRACE_H, TRACE_C, SHARPNESS),
        claims=[_mediation(runs)],
    )
    shown = ("best", "final", "train_at_moment", x, TRACE_H, TRACE_C, SHARPNESS)
    yield figures.means("fig6-means", "Means of every arm", panels, shown, [_size(runs, size)])


def _stability(runs: Comparison, tag: str) -> ps.Claim:
    what = f"Over the runs of six arms, {TRACES[tag]} rises with mean stability."
    return Says(PLACE)(f"stability-trace-{tag}", what, runs.correlation("mean_stability", TRACES[tag]), MORE)


def _accuracy(runs: Comparison, tag: str) -> Iterator[ps.Claim]:
    measure, r = TRACES[tag], runs.correlation(TRACES[tag], "best")
    what = f"Over the runs of six arms, best test accuracy falls with {measure}."
    yield Says(PLACE)(f"trace-{tag}-accuracy", what, r, LESS)
    what = f"That correlation with {measure} would be significant over the paper's 60 runs: it is below "
    yield Says(PLACE)(f"trace-{tag}-accuracy-significant", f"{what}{SIGNIFICANT.than:g}.", r, SIGNIFICANT)


def _mediation(runs: Comparison) -> ps.Claim:
    """With flatness held fixed, hardly any of the correlation remains."""
    x, y, unit = "mean_stability", "best", f"the partial correlation, {TRACE_H} held fixed"
    return Says(PLACE, "proposed")(
        "mediation",
        f"With {TRACE_H} held fixed, stability and best accuracy are hardly correlated: flatness is the mediator.",
        runs.correlation(x, y, correlation.r_partial, given=(TRACE_H,), unit=unit),
        ps.Equivalence(0.3),
        needs=(runs.fits(x, TRACE_H, y), runs.moves(x), falls(runs, x, y)),
        place=f"{PLACE}, which says that flatness may mediate; test and margin are proposed here",
    )


def _size(runs: Comparison, size: FlatnessSize) -> ps.Claim:
    return Says("Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)", "proposed")(
        "trace-c-size",
        f"{TRACE_C} of the network without pruning is 1,300 to 5,300.",
        runs.value(NONE, TRACE_C),
        ps.Near(3300.0, 2000.0),
        as_published(size, "flat_images"),
    )
