"""bartoldson2020/appE: Are less stable networks flatter by every measure?

Spectra, epsilon, the loss along eigenvectors, and the TIC proxy.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures, flatness
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, fits, moves
from prunescope.papers.bartoldson.flatness import (
    ABOVE,
    EPSILON,
    NEAR,
    POWER,
    POWER_RESIDUAL,
    POWER_SHARE,
    REACHED,
    RESIDUAL,
    RISE,
    SHARE,
    SHARPNESS,
    TIC,
    TOP,
    TRACE_H,
)
from prunescope.papers.bartoldson.quantities import Comparison, label
from prunescope.papers.bartoldson.scales import Count, FlatnessSize, scales_of, words
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Computed, Figure, Rows
from prunescope.studies.plot import Intervals, Lines, Scatter, Table
from prunescope.studies.quantity import arrays
from prunescope.studies.region import Near
from prunescope.studies.results import Results
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "3 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Appendix E"
PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"
SUMS = (TRACE_H, TOP, POWER, SHARE, POWER_SHARE)
"""What stands beside each other: the whole trace, the authors' sum of eigenvalues, and its share of the trace."""
MEASURES: Mapping[str, str] = MappingProxyType({"top": TOP, "rise": RISE, "tic": TIC, "epsilon": EPSILON})
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


def comparison(settings: Settings) -> Comparison:
    """The six arms of Figure 6 under every measure of flatness."""
    own = ("eigenvalues", "directions", "step", "tolerance", "power")
    further = flatness.further(settings, **settings.model_dump(include=set(own)))
    return arms.six(settings, flatness.main(settings) | further)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=tuple(_figures(one, settings)),
        notes=(
            "Where epsilon was not reached, correlations with it use the end of the reach; claims on it are not judged "
            "then. The TIC proxy has no value where the sum of the top eigenvalues is not positive. The rise along "
            f"eigenvectors is the mean over them and over all steps below {NEAR:g}, as Figure E4 draws them.",
            "The numbers of this appendix are not in the text at hand, so directions are claimed, not values.",
        ),
    )


def _figures(one: Comparison, settings: Settings) -> Iterator[Figure]:
    panels, taken = {"VGG11": one}, one.observables.measures
    yield spectra(one, claims=[_size(one, settings)])
    for tag, measure in MEASURES.items():
        title = f"Figure E3: {measure}" if measure == EPSILON else measure
        for end, (x, y) in (("stability", ("mean_stability", measure)), ("accuracy", (measure, "best"))):
            name, heading, claims = f"appe-{tag}-{end}", f"{title} and {end}", [_flatter(one, tag, x, y)]
            if measure == EPSILON:
                other = x if end == "stability" else y
                yield epsilon(one, other, name=name, title=heading, claims=claims)
            else:
                yield figures.scatter(panels, x, y, name=name, title=heading, claims=claims)
    yield along(one)
    yield numbers(one, [name for name in (*SUMS, ABOVE, RESIDUAL, POWER_RESIDUAL) if name in taken])
    title = "The whole trace and the sum of top eigenvalues"
    yield figures.scatter(panels, TRACE_H, TOP, name="appe-trace-top", title=title)
    shown = [name for name in (*SUMS, SHARPNESS) if name in taken]
    yield figures.means(panels, shown, name="appe-means", title="Means of every arm")
    yield figures.correlations(
        panels,
        [
            pair
            for measure in (TOP, TRACE_H, EPSILON, RISE, TIC, SHARPNESS)
            for pair in (("mean_stability", measure), *((measure, y) for y in ("best", "final")))
        ],
        name="appe-correlations",
        title="Correlations of every measure with stability and with accuracy",
    )
    title = "Figure E6: stability and accuracy, six arms"
    tradeoff = _tradeoff(one)
    yield figures.scatter(panels, "mean_stability", "best", name="fige6", title=title, claims=[tradeoff])


def _flatter(one: Comparison, tag: str, x: str, y: str) -> Claim:
    """Less stable is flatter, and flatter is better."""
    measure, flat_is_large = MEASURES[tag], tag == "epsilon"
    ready: tuple[Precondition, ...] = (fits(one, measure, y), moves(one, x))
    if measure == EPSILON:  # known to be larger only, where the loss did not rise by .1 within reach
        ready = (Precondition("epsilon is reached in every run", one.all([REACHED]), at_least=1), *ready)
    if y == measure:
        name, region = f"stability-{tag}", LESS if flat_is_large else MORE
        what = f"less stability goes with a flatter minimum by {measure}"
    else:
        name, region = f"{tag}-accuracy", MORE if flat_is_large else LESS
        what = f"a flatter minimum by {measure} goes with higher best accuracy"
    sentence = f"Over the runs of six arms, {what}."
    return Says(one, place=PLACE).correlation(name, sentence, x, y, region, needs=ready)


def _tradeoff(one: Comparison) -> Claim:
    return Says(one, place=PLACE).correlation(
        "tradeoff-six-arms",
        "Over the runs of six arms, best accuracy falls with mean stability.",
        "mean_stability",
        "best",
        LESS,
        basis="proposed",
        place=f"{PLACE} (Figure E6 draws it; what is said of it is not in the text at hand)",
    )


def _size(one: Comparison, settings: Settings) -> Claim:
    return Says(one, place=PLACE, basis="proposed")(
        "top-eigenvalues-size",
        "The top 100 eigenvalues of the network without pruning add up to 205 to 555.",
        one.value(NONE, TOP),
        Near(380.0, 175.0),
        place="Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)",
        needs=(as_published(settings, "flat_images", "eigenvalues"), fits(one, TOP, arms=(NONE,))),
    )


def epsilon(one: Comparison, other: str, *, name: str, title: str, claims: Iterable[Claim]) -> Figure:
    """Epsilon and another quantity; runs in which it was not reached are marked, they stand at the end of the reach."""

    def make(results: Results) -> Table:
        points = one.points(results, other, EPSILON, given=(REACHED,))
        (reached,) = points.given
        return [
            {
                "arm": arm if there else f"{arm}, at least",
                "replicate": seed,
                other: float(x),
                EPSILON: float(y),
            }
            for x, y, arm, seed, there in zip(
                points.x, points.y, points.arm, points.seed, reached, strict=True
            )
        ]

    return Figure(
        name,
        title,
        caption='One point a run. "At least": within reach the loss did not rise by 0.1, and epsilon is larger.',
        rows=[Computed(one.nodes(other, EPSILON, REACHED), make)],
        plot=Scatter(other, EPSILON, series="arm", x_label=label(other), y_label=EPSILON),
        claims=tuple(claims),
    )


def numbers(one: Comparison, measures: Sequence[str]) -> Figure:
    """Every number of every run: the trace and sums, the authors' algorithm beside Lanczos, residuals."""

    def rows(measure: str, arm: str) -> Computed:
        value = one.value(arm, measure)

        def make(results: Results) -> Table:
            ends = {"low": np.nan, "high": np.nan}
            return [
                {"run": f"{arm}, {seed}", "value": float(number), **ends}
                for seed, number in enumerate(value(results))
            ]

        return Computed(value.nodes, make, {"panel": measure})

    return Figure(
        "appe-numbers",
        "Tr(H), sums of eigenvalues, and residuals |H v - value v| over the largest eigenvalue",
        caption="A sum is as good as its residuals are small; the authors' power method is the paper's number, which "
        "they call Tr(H). Beside it stand the whole trace, exact, and the share of it that a sum is.",
        rows=[rows(measure, arm) for measure in measures for arm in one.by_name],
        plot=Intervals("run", "value", "low", "high", x_label="value"),
    )


def spectra(one: Comparison, *, claims: Iterable[Claim]) -> Figure:
    """Figures E1 and E2: eigenvalues in order of magnitude."""

    def rows(arm: str) -> Rows:
        values = arrays(one.readings(arm, TOP)[0], "eigenvalues")
        ranks = values.map(lambda found: np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape))
        return Rows({"arm": arm}, {"rank": ranks, "eigenvalue": values})

    return Figure(
        "fige1",
        "Figures E1 and E2: Hessian eigenvalues of largest magnitude",
        caption="Eigenvalues in order of magnitude, sign kept.",
        rows=[rows(arm) for arm in one.by_name],
        plot=Lines(
            "rank", "eigenvalue", series="arm", x_label="rank", y_label="eigenvalue", band="bootstrap"
        ),
        claims=tuple(claims),
    )


def along(one: Comparison) -> Figure:
    """Figure E4: the rise of the loss along eigenvectors, for |e| below 0.13."""

    def rows(arm: str) -> Computed:
        (readings,) = one.readings(arm, EPSILON)

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
        rows=[rows(arm) for arm in one.by_name],
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
