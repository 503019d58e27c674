"""bartoldson2020/fig6: Is the benefit of unstable pruning mediated by flatness?

Less stable pruning leads to flatter minima, and flatter minima generalize better.
"""

from dataclasses import replace

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, flatness
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published, falls
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_C, TRACE_H
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import FlatnessSize, scales_of
from prunescope.studies import correlation

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "Figure 6"
PLACE = "Bartoldson et al. 2020, section 3.4 and Figure 6"
SIGNIFICANT = ps.Direction("less", than=-0.254)
"""Pearson's correlation that has p = .05 over 60 runs: six arms, ten runs each."""
SPLIT = f"{PLACE}; split here, as arms that are not pruned in training are 100 % stable and sharp: two clusters"
WITHIN = "Pearson's correlation of deviations from the arms' means"
TRACES = {"h": TRACE_H, "c": TRACE_C}
Settings = FlatnessSize
SCALES = scales_of(FlatnessSize)


def _figures(size: FlatnessSize) -> Figures:
    runs = arms.six(size, flatness.main(size))
    panels, x, y, mediators = {"VGG11": runs}, "mean_stability", "best", (TRACE_H, TRACE_C, SHARPNESS)
    for tag, measure in {**TRACES, "sharpness": SHARPNESS}.items():
        stabler, better = _flatter(runs, tag) if tag in TRACES else ((), ())
        what = f"Figure 6: {measure}" if tag in TRACES else "Beside Figure 6: adaptive sharpness"
        yield figures.scatter(f"fig6-stability-{tag}", f"{what} and stability", panels, x, measure, stabler)
        yield figures.scatter(f"fig6-accuracy-{tag}", f"{what} and accuracy", panels, measure, y, better)
        title = f"Correlations of {measure} with stability and with accuracy"
        pairs = ((x, measure), (measure, y), (measure, "final"))
        yield figures.correlations(f"fig6-correlations-{tag}", title, panels, pairs)
    for tag, measure in TRACES.items():
        yield flatness.by_layer(f"fig6-layers-{tag}", f"{measure} by parameter", runs, measure)
    title, claims = "Stability and accuracy, with flatness held fixed", [_mediation(runs)]
    yield figures.correlations("fig6-mediation", title, panels, claims=claims, given=mediators)
    axis = Says("Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)", "proposed")
    what, paper = f"{TRACE_C} of the network without pruning is 1,300 to 5,300.", as_published(size, "flat_images")
    large = axis("trace-c-size", what, runs.value(arms.NONE, TRACE_C), ps.Near(3300.0, 2000.0), paper)
    shown = (y, "final", "train_at_moment", x, *mediators)
    yield figures.means("fig6-means", "Means of every arm", panels, shown, [large])


def _flatter(runs: Comparison, tag: str) -> tuple[Claims, Claims]:
    """Less stable is flatter, and flatter is better."""
    says, measure = Says(PLACE), TRACES[tag]
    x, pruned = "mean_stability", runs.only(*(name for name in runs.names if name not in (arms.NONE, arms.SCRATCH)))
    what = f"Over the runs of six arms, {measure} rises with mean stability (100 % by definition in two of them)."
    stabler = [says(f"stability-trace-{tag}", what, runs.correlation(x, measure), MORE)]
    what, place = f"The same among the arms pruned in training: {measure} rises with mean stability.", SPLIT
    stabler += [says(f"stability-trace-{tag}-pruned", what, pruned.correlation(x, measure), MORE, place=place)]
    what, unit = f"The same within arms: of two runs of an arm the stabler one has the larger {measure}.", WITHIN
    within = runs.correlation(x, measure, correlation.r_within, unit=unit)
    claim = says(f"stability-trace-{tag}-within", what, within, MORE, basis="proposed", place=place)
    stabler.append(replace(claim, min_replicates=3))  # without one of two, no two runs of an arm are left
    r, name = runs.correlation(measure, "best"), f"trace-{tag}-accuracy"
    better = says(name, f"Over the runs of six arms, best test accuracy falls with {measure}.", r, LESS)
    what = f"That correlation with {measure} would be significant over the paper's 60 runs: it is below "
    place, what = f"{PLACE}; the bound is derived here", f"{what}{SIGNIFICANT.than:g}."
    return stabler, [better, says(f"{name}-significant", what, r, SIGNIFICANT, place=place)]


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


def _sample(size: FlatnessSize) -> str:
    return (
        f"Flatness is taken on the first {size.flat_images} test images, in evaluation mode, after "
        f"{arms.late(size).removesuffix('ep')} epochs; {TRACE_H} is the whole trace, where the authors sum 100 "
        "eigenvalues (see bartoldson2020/appE). Both traces change with the scale of weights before BatchNorm, which "
        "changes nothing in the network; adaptive sharpness does not."
    )


build = builder(
    __doc__,
    _figures,
    _sample,
    "The correlation over six arms joins two kinds of networks, stable by definition and pruned in training, which "
    "differ in more than their stability; so do the paper's six arms. It is judged beside the same among pruned arms "
    "and within arms.",
    "No correlation is claimed by its value: the text at hand prints none for this figure.",
)
