"""bartoldson2020/appE: Are less stable networks flatter by every measure?

Spectra, epsilon, the loss along eigenvectors, and the TIC proxy.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import arms, figures, flatness
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.flatness import EPSILON, NEAR, REACHED, SHARPNESS, TOP, TRACE_H
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.quantities import label
from prunescope.papers.bartoldson.scales import Count, FlatnessSize, scales_of
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Computed, Figure, Rows
from prunescope.studies.plot import Intervals, Lines, Scatter, Table
from prunescope.studies.quantity import arrays
from prunescope.studies.region import Near
from prunescope.studies.results import Results
from prunescope.studies.study import Study

COST = {"smoke": "a minute or less on 2 cores", "laptop": "3 hours on 2 cores", "paper": "months on 2 cores"}
FIGURE = "Appendix E"
PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"
SUMS = (TRACE_H, TOP, flatness.POWER, flatness.SHARE, flatness.POWER_SHARE)
"""What stands beside each other: the whole trace, the authors' sum of eigenvalues, and its share of the trace."""
MEASURES: Mapping[str, str] = MappingProxyType(
    {"top": TOP, "rise": flatness.RISE, "tic": flatness.TIC, "epsilon": EPSILON}
)
"""By tag, what is claimed to be small where pruning was unstable; of epsilon that it is large."""


class Settings(FlatnessSize):
    """How much is run.

    eigenvalues: of every network.
    directions: eigenvectors that are walked along, in steps of `step`.
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


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    changes = settings.model_dump(include={"eigenvalues", "directions", "step", "tolerance", "power"})
    runs = arms.six(settings, flatness.main(settings) | flatness.further(settings, **changes))
    return study(
        __doc__,
        settings,
        scale,
        _figures(runs, settings),
        "Where epsilon was not reached, correlations with it use the end of the reach; claims on it are not judged "
        "then. The TIC proxy has no value where the sum of the top eigenvalues is not positive. The rise along "
        f"eigenvectors is the mean over them and over all steps below {NEAR:g}, as Figure E4 draws them.",
        "The numbers of this appendix are not in the text at hand, so directions are claimed, not values.",
    )


def _figures(runs: Comparison, settings: Settings) -> Iterator[Figure]:
    panels, taken, stability = {"VGG11": runs}, runs.observables.measures, "mean_stability"
    yield spectra(runs, _size(runs, settings))
    for tag, measure in MEASURES.items():
        for end, (x, y) in {"stability": (stability, measure), "accuracy": (measure, "best")}.items():
            name, title, claim = f"appe-{tag}-{end}", f"{measure} and {end}", _flatter(runs, tag, x, y)
            if measure == EPSILON:
                yield epsilon(name, f"Figure E3: {title}", runs, x if y == EPSILON else y, claim)
            else:
                yield figures.scatter(name, title, panels, x, y, [claim])
    yield along(runs)
    yield numbers(runs)
    title = "The whole trace and the sum of top eigenvalues"
    yield figures.scatter("appe-trace-top", title, panels, TRACE_H, TOP)
    shown = [name for name in (*SUMS, SHARPNESS) if name in taken]
    yield figures.means("appe-means", "Means of every arm", panels, shown)
    title = "Correlations of every measure with stability and with accuracy"
    each_pair = [
        pair
        for measure in (TOP, TRACE_H, EPSILON, flatness.RISE, flatness.TIC, SHARPNESS)
        for pair in ((stability, measure), *((measure, y) for y in ("best", "final")))
    ]
    yield figures.correlations("appe-correlations", title, panels, each_pair)
    title = "Figure E6: stability and accuracy, six arms"
    yield figures.scatter("fige6", title, panels, stability, "best", [_tradeoff(runs)])


def _flatter(runs: Comparison, tag: str, x: str, y: str) -> Claim:
    """Less stable is flatter, and flatter is better."""
    measure, flat_is_large = MEASURES[tag], tag == "epsilon"
    ready: tuple[Precondition, ...] = (runs.fits(measure, y), runs.moves(x))
    if measure == EPSILON:  # known to be larger only, where the loss did not rise by .1 within reach
        reached = runs.over_runs(REACHED).map(np.ravel)
        ready = (Precondition("epsilon is reached in every run", reached, at_least=1), *ready)
    if y == measure:
        name, region = f"stability-{tag}", LESS if flat_is_large else MORE
        what = f"less stability goes with a flatter minimum by {measure}"
    else:
        name, region = f"{tag}-accuracy", MORE if flat_is_large else LESS
        what = f"a flatter minimum by {measure} goes with higher best accuracy"
    sentence = f"Over the runs of six arms, {what}."
    return Says(PLACE)(name, sentence, runs.correlation(x, y), region, needs=ready)


def _tradeoff(runs: Comparison) -> Claim:
    place = f"{PLACE} (Figure E6 draws it; what is said of it is not in the text at hand)"
    what = "Over the runs of six arms, best accuracy falls with mean stability."
    r = runs.correlation("mean_stability", "best")
    return Says(place, "proposed")("tradeoff-six-arms", what, r, LESS)


def _size(runs: Comparison, settings: Settings) -> Claim:
    return Says(
        "Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)", "proposed"
    )(
        "top-eigenvalues-size",
        "The top 100 eigenvalues of the network without pruning add up to 205 to 555.",
        runs.value(NONE, TOP),
        Near(380.0, 175.0),
        as_published(settings, "flat_images", "eigenvalues"),
    )


def epsilon(name: str, title: str, runs: Comparison, other: str, claim: Claim) -> Figure:
    """Epsilon and another quantity; runs in which it was not reached are marked, they stand at the end of the reach."""

    def rows(arm: str) -> Rows:
        marked = runs.value(arm, REACHED).map(
            lambda reached: [arm if near else f"{arm}, at least" for near in reached]
        )
        return Rows({}, {"arm": marked, other: runs.value(arm, other), EPSILON: runs.value(arm, EPSILON)})

    return Figure(
        name,
        title,
        caption='One point a run. "At least": within reach the loss did not rise by 0.1, and epsilon is larger.',
        rows=[rows(arm) for arm in runs.names],
        plot=Scatter(other, EPSILON, series="arm", x_label=label(other), y_label=EPSILON),
        claims=(claim,),
    )


def numbers(runs: Comparison) -> Figure:
    """Every number of every run: the trace and sums, the authors' algorithm beside Lanczos, residuals."""
    measures = (*SUMS, flatness.ABOVE, flatness.RESIDUAL, flatness.POWER_RESIDUAL)
    ends = {"low": np.nan, "high": np.nan}
    return Figure(
        "appe-numbers",
        "Tr(H), sums of eigenvalues, and residuals |H v - value v| over the largest eigenvalue",
        caption="A sum is as good as its residuals are small; the authors' power method is the paper's number, which "
        "they call Tr(H). Beside it stand the whole trace, exact, and the share of it that a sum is.",
        rows=[
            Rows({"panel": measure, **ends}, {"run": figures.names_of(value), "value": value})
            for measure in measures
            if measure in runs.observables.measures
            for value in (runs.value(arm, measure) for arm in runs.names)
        ],
        plot=Intervals("run", "value", "low", "high", x_label="value"),
    )


def spectra(runs: Comparison, claim: Claim) -> Figure:
    """Figures E1 and E2: eigenvalues in order of magnitude."""

    def rows(arm: str) -> Rows:
        values = arrays(runs.readings(arm, TOP)[0], "eigenvalues")
        ranks = values.map(
            lambda eigenvalues: np.broadcast_to(np.arange(1, eigenvalues.shape[1] + 1), eigenvalues.shape)
        )
        return Rows({"arm": arm}, {"rank": ranks, "eigenvalue": values})

    return Figure(
        "fige1",
        "Figures E1 and E2: Hessian eigenvalues of largest magnitude",
        caption="Eigenvalues in order of magnitude, sign kept.",
        rows=[rows(arm) for arm in runs.names],
        plot=Lines(
            "rank", "eigenvalue", series="arm", x_label="rank", y_label="eigenvalue", band="bootstrap"
        ),
        claims=(claim,),
    )


def along(runs: Comparison) -> Figure:
    """Figure E4: the rise of the loss along eigenvectors, for |e| below 0.13."""

    def rows(arm: str) -> Computed:
        (readings,) = runs.readings(arm, EPSILON)

        def make(results: Results) -> Table:
            return [
                {"panel": f"eigenvector {int(name[9:]) + 1}", "replicate": number}
                | {"step": float(step), "increase": float(rise)}
                for number, reading in enumerate(readings)
                if reading in results
                for name, curve in results[reading].items()
                if name.startswith("increase.")
                for step, rise in zip(results[reading]["steps"], curve, strict=True)
                if abs(step) < NEAR
            ]

        return Computed(readings, make, {"arm": arm})

    return Figure(
        "fige4",
        "Figure E4: rise of the test loss along eigenvectors",
        caption="Mean test loss at a step along a unit eigenvector minus that at the minimum; its sign is arbitrary.",
        rows=[rows(arm) for arm in runs.names],
        plot=Lines(
            "step",
            "increase",
            series="arm",
            x_label="step, units of weight",
            y_label="rise of the loss, nats",
            band="bootstrap",
            marks="none",
            share_y=False,
        ),
    )
