"""bartoldson2020/appE: Are less stable networks flatter by every measure?

Spectra, epsilon, the loss along eigenvectors, and the TIC proxy.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.measures import GradientTrace, HessianSpectrum, HessianTrace, LossAlongEigenvectors, Sample
from prunescope.measures.measure import Values
from prunescope.papers.bartoldson import arms, figures, flatness
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_H, names_of
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.quantities import Measured, label
from prunescope.papers.bartoldson.scales import Count, FlatnessSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "3 hours", "paper": "months"}
FIGURE = "Appendix E"
PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"
TOP, EPSILON = "sum of top eigenvalues", "epsilon"
ABOVE, RESIDUAL = "sum of eigenvalues above .006 of the largest", "largest residual of an eigenvalue"
POWER, POWER_RESIDUAL = "sum of top eigenvalues, power method", "largest residual, power method"
REACHED, TIC = "epsilon reached", "Tr(C) / Tr(H)"
RISE, NEAR = "mean rise along eigenvectors", 0.13
"""The rise of the loss at all steps e of Figure E4, which shows |e| < NEAR."""
SHARE, POWER_SHARE = "top eigenvalues / Tr(H)", "top eigenvalues, power method / Tr(H)"
SUMS = (TRACE_H, TOP, POWER, SHARE, POWER_SHARE)
"""What stands beside each other: the whole trace, the authors' sum of eigenvalues, and its share of the trace."""
MEASURES: Mapping[str, str] = {"top": TOP, "rise": RISE, "tic": TIC, "epsilon": EPSILON}
"""By tag, what is claimed to be small where pruning was unstable; of epsilon that it is large."""


class Settings(FlatnessSize):
    """How much is run.

    eigenvalues: how many of every network's are computed, the largest ones.
    directions: eigenvectors along which the parameters are moved.
    step: length of a step along an eigenvector.
    tolerance: of eigenvalues and eigenvectors, relative to the largest eigenvalue.
    power: whether eigenvalues are also taken by the authors' deflated power iteration, twenty products each.
    """

    eigenvalues: Count = 100
    directions: Count = 10
    step: Annotated[float, Field(gt=0)] = 0.01
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    power: bool = True


SCALES = scales_of(
    Settings,
    smoke={"eigenvalues": 1, "directions": 1, "step": 0.1, "tolerance": 0.5},
    laptop={"eigenvalues": 20, "directions": 3, "power": False},
)


def spectral(size: Settings) -> dict[str, Measured]:
    """The spectrum, epsilon and what follows from them."""
    images, losses = (Sample(split="test", examples=number) for number in (size.flat_images, size.test_limit))
    along = LossAlongEigenvectors(
        sample=images,
        count=size.directions,
        among=size.eigenvalues if size.eigenvalues > size.directions else 0,  # descending with sign, as the authors do
        losses=losses,
        step=size.step,
        tolerance=size.tolerance,
    )
    spectrum = HessianSpectrum(sample=images, count=size.eigenvalues, tolerance=size.tolerance)
    theirs = HessianSpectrum(sample=images, count=size.eigenvalues, method="power")
    trace, noise = HessianTrace(sample=images), GradientTrace(sample=images)
    measured = {
        TOP: Measured("sum", (spectrum,)),
        ABOVE: Measured("sum_above", (spectrum,)),
        RESIDUAL: Measured("largest_residual", (spectrum,)),
        EPSILON: Measured("epsilon", (along,)),
        REACHED: Measured("reached", (along,)),
        SHARE: Measured(share, (spectrum, trace)),
        TIC: Measured(tic, (noise, spectrum)),
        RISE: Measured(rise, (along,)),
    }
    by_power = {
        POWER: Measured("sum", (theirs,)),
        POWER_RESIDUAL: Measured("largest_residual", (theirs,)),
        POWER_SHARE: Measured(share, (theirs, trace)),
    }
    return measured | (by_power if size.power else {})


def rise(along: Values) -> float:
    """Mean rise of the loss over eigenvectors and over steps 0 < |e| < `NEAR` along them, nats.

    along: a reading of `LossAlongEigenvectors`. NaN if its steps are larger than that.
    """
    steps = np.abs(np.asarray(along["steps"]))
    near = (steps > 0) & (steps < NEAR)
    curves = [np.asarray(curve)[near] for name, curve in along.items() if name.startswith("increase.")]
    return float(np.mean(curves)) if near.any() else float("nan")


def share(spectrum: Values, trace: Values) -> float:
    """The sum of the top eigenvalues over Tr(H): how much of the trace the authors' number is.

    spectrum, trace: readings of `HessianSpectrum` and of `HessianTrace` on the same sample. Above 1 where eigenvalues
    that were left out add up to less than 0; NaN where Tr(H) is not positive.
    """
    whole = float(trace["trace"])
    return float(spectrum["sum"]) / whole if whole > 0 else float("nan")


def tic(noise: Values, spectrum: Values) -> float:
    """Tr(C) over the sum of the top eigenvalues, dimensionless for a loss in nats; NaN where that is not positive.

    noise, spectrum: readings of `GradientTrace` and of `HessianSpectrum` on the same sample.

    Source: Bartoldson et al. 2020, appendix E, after Thomas et al. 2020 (Takeuchi's information criterion).
    """
    curvature = float(spectrum["sum"])
    return float(noise["trace"]) / curvature if curvature > 0 else float("nan")


def _figures(size: Settings) -> Figures:
    runs = arms.six(size, flatness.main(size) | spectral(size))
    panels, taken, stability = {"VGG11": runs}, runs.observables.measures, "mean_stability"
    axis = Says("Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)", "proposed")
    what = "The top 100 eigenvalues of the network without pruning add up to 205 to 555."
    paper, near = as_published(size, "flat_images", "eigenvalues"), ps.Near(380.0, 175.0)
    yield spectra(runs, axis("top-eigenvalues-size", what, runs.value(arms.NONE, TOP), near, paper))
    for tag, measure in MEASURES.items():
        for end, (x, y) in {"stability": (stability, measure), "accuracy": (measure, "best")}.items():
            name, title, claim = f"appe-{tag}-{end}", f"{measure} and {end}", _flatter(runs, tag, x, y)
            if measure == EPSILON:
                yield epsilon(name, f"Figure E3: {title}", runs, x if y == EPSILON else y, claim)
            else:
                yield figures.scatter(name, title, panels, x, y, [claim])
    yield along(runs)
    yield numbers(runs)
    yield figures.scatter("appe-trace-top", "The whole trace and the sum of top eigenvalues", panels, TRACE_H, TOP)
    shown = [name for name in (*SUMS, SHARPNESS) if name in taken]
    yield figures.means("appe-means", "Means of every arm", panels, (*shown, stability))
    title = "Correlations of every measure with stability and with accuracy"
    every = (TOP, TRACE_H, EPSILON, RISE, TIC, SHARPNESS)
    pairs = [pair for m in every for pair in ((stability, m), (m, "best"), (m, "final"))]
    yield figures.correlations("appe-correlations", title, panels, pairs)
    says = Says(f"{PLACE} (Figure E6 draws it; what is said of it is not in the text at hand)", "proposed")
    what = "Over the runs of six arms, best accuracy falls with mean stability."
    tradeoff = says("tradeoff-six-arms", what, runs.correlation(stability, "best"), LESS)
    title = "Figure E6: stability and accuracy, six arms"
    yield figures.scatter("fige6", title, panels, stability, "best", [tradeoff])


def _flatter(runs: Comparison, tag: str, x: str, y: str) -> ps.Claim:
    """Less stable is flatter, and flatter is better."""
    measure, large, small = MEASURES[tag], *((MORE, LESS) if tag == "epsilon" else (LESS, MORE))
    ready: tuple[ps.Precondition, ...] = (runs.fits(measure, y), runs.moves(x))
    if measure == EPSILON:  # known to be larger only, where the loss did not rise by .1 within reach
        reached = runs.over_runs(REACHED).map(np.ravel)
        ready = (ps.Precondition("epsilon is reached in every run", reached, at_least=1), *ready)
    name, region, what = f"{tag}-accuracy", large, f"a flatter minimum by {measure} goes with higher best accuracy"
    if y == measure:
        name, region = f"stability-{tag}", small
        what = f"less stability goes with a flatter minimum by {measure}"
    return Says(PLACE)(name, f"Over the runs of six arms, {what}.", runs.correlation(x, y), region, needs=ready)


def epsilon(name: str, title: str, runs: Comparison, other: str, claim: ps.Claim) -> ps.Figure:
    """Epsilon and another quantity; runs in which it was not reached are marked, they stand at the end of the reach."""

    def rows(arm: str) -> ps.Rows:
        marked = runs.value(arm, REACHED).map(lambda reached: [arm if near else f"{arm}, at least" for near in reached])
        return ps.Rows({}, {"arm": marked, other: runs.value(arm, other), EPSILON: runs.value(arm, EPSILON)})

    caption = 'One point a run. "At least": within reach the loss did not rise by 0.1, and epsilon is larger.'
    plot = ps.Scatter(other, EPSILON, series="arm", x_label=label(other), y_label=EPSILON)
    return ps.Figure(name, title, caption=caption, rows=[rows(arm) for arm in runs.names], plot=plot, claims=(claim,))


def numbers(runs: Comparison) -> ps.Figure:
    """Every number of every run: the trace and sums, the authors' algorithm beside Lanczos, residuals."""
    measures = [name for name in (*SUMS, ABOVE, RESIDUAL, POWER_RESIDUAL) if name in runs.observables.measures]
    ends = {"low": np.nan, "high": np.nan}
    return ps.Figure(
        "appe-numbers",
        "Tr(H), sums of eigenvalues, and residuals |H v - value v| over the largest eigenvalue",
        caption="A sum is as good as its residuals are small; the authors' power method is the paper's number, which "
        "they call Tr(H). Beside it stand the whole trace, exact, and the share of it that a sum is.",
        rows=[
            ps.Rows({"panel": measure, **ends}, {"run": names_of(value), "value": value})
            for measure in measures
            for value in (runs.value(arm, measure) for arm in runs.names)
        ],
        plot=ps.Intervals("run", "value", "low", "high", x_label="value"),
    )


def spectra(runs: Comparison, claim: ps.Claim) -> ps.Figure:
    """Figures E1 and E2: eigenvalues in order of magnitude."""

    def rows(arm: str) -> ps.Rows:
        values = ps.arrays(runs.readings(arm, TOP)[0], "eigenvalues")
        ranks = values.map(lambda found: np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape))
        return ps.Rows({"arm": arm}, {"rank": ranks, "eigenvalue": values})

    return ps.Figure(
        "fige1",
        "Figures E1 and E2: Hessian eigenvalues of largest magnitude",
        caption="Eigenvalues in order of magnitude, sign kept.",
        rows=[rows(arm) for arm in runs.names],
        plot=figures.over_runs("rank", "eigenvalue", "rank", "eigenvalue"),
        claims=(claim,),
    )


def along(runs: Comparison) -> ps.Figure:
    """Figure E4: the rise of the loss along eigenvectors, for |e| below 0.13."""

    def curves(reading: Values) -> Iterator[ps.Row]:
        for name, curve in reading.items():
            if name.startswith("increase."):
                panel = f"eigenvector {int(name.removeprefix('increase.')) + 1}"
                for step, increase in zip(reading["steps"], curve, strict=True):
                    if abs(step) < NEAR:
                        yield {"panel": panel, "step": float(step), "increase": float(increase)}

    labels = {"x_label": "step, units of weight", "y_label": "rise of the loss, nats"}
    return ps.Figure(
        "fige4",
        "Figure E4: rise of the test loss along eigenvectors",
        caption="Mean test loss at a step along a unit eigenvector minus that at the minimum; its sign is arbitrary.",
        rows=[figures.of_each({"arm": arm}, runs.readings(arm, EPSILON)[0], curves) for arm in runs.names],
        plot=figures.over_runs("step", "increase", **labels, marks="none", share_y=False),
    )


build = builder(
    __doc__,
    _figures,
    "Where epsilon was not reached, correlations with it use the end of the reach; claims on it are not judged then. "
    "The TIC proxy has no value where the sum of the top eigenvalues is not positive. The rise along eigenvectors is "
    f"the mean over them and over all steps below {NEAR:g}, as Figure E4 draws them.",
    "The numbers of this appendix are not in the text at hand, so directions are claimed, not values.",
)
