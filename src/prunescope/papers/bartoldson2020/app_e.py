"""bartoldson2020/appE: spectra, epsilon, the loss along eigenvectors, and the TIC proxy."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Annotated

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import PAPER_2020, Count, FlatnessSize, words
from prunescope.papers.bartoldson.statements import correlates, fits, is_number, moves, whole
from prunescope.papers.bartoldson2020 import flatness, setting
from prunescope.papers.bartoldson2020.flatness import (
    ABOVE,
    EPSILON,
    POWER,
    POWER_RESIDUAL,
    REACHED,
    RESIDUAL,
    TIC,
    TOP,
    TRACE_C,
)
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure, Intervals, Lines, Scatter, Table
from prunescope.studies.region import Direction
from prunescope.studies.results import Results
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"
MEASURES = (TOP, ABOVE, RESIDUAL, POWER, POWER_RESIDUAL)


class Settings(FlatnessSize):
    """How much is run; eigenvalues, and eigenvectors walked along in steps of `step`, of every network.

    tolerance: of eigenvalues and eigenvectors, relative to the largest eigenvalue. power: whether eigenvalues are
    also taken by the authors' deflated power iteration, twenty products each.
    """

    eigenvalues: Count = 100
    directions: Count = 10
    step: Annotated[float, Field(gt=0)] = 0.01
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    power: bool = True


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(
            **flatness.SCALES["smoke"].model_dump(), eigenvalues=1, directions=1, step=0.1, tolerance=0.5
        ),
        "laptop": Settings(
            **flatness.SCALES["laptop"].model_dump(), eigenvalues=20, directions=3, power=False
        ),
        "paper": Settings(),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    measures = {
        **flatness.main(settings),
        **flatness.further(
            settings,
            eigenvalues=settings.eigenvalues,
            directions=settings.directions,
            step=settings.step,
            tolerance=settings.tolerance,
            power=settings.power,
        ),
    }
    combined = {TIC: ("prunescope.measures.tic:tic", (TRACE_C, TOP), "tic")}
    comparison = setting.six(settings, measures, combined)
    panels = {"VGG11": comparison}
    claims: list[Claim] = []
    for tag, measure, sharp in (("top", TOP, True), ("epsilon", EPSILON, False), ("tic", TIC, True)):
        claims += _claims(comparison, tag, measure, sharp=sharp)
    claims.append(
        is_number(
            comparison,
            "top-eigenvalues-size",
            "The top 100 eigenvalues of the network without pruning add up to 205 to 555.",
            arm=NONE,
            quantity=TOP,
            value=380.0,
            tolerance=175.0,
            basis="proposed",
            place="Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)",
            preconditions=(
                whole(settings, "flat_images", "eigenvalues"),
                fits(comparison, TOP, arms=(NONE,)),
            ),
        )
    )
    scatters = [
        views.scatter(panels, x, y, name=f"appe-{tag}-{end}", title=f"{measure} and {end}")
        for tag, measure in (("top", TOP), ("tic", TIC))
        for end, (x, y) in (("stability", ("mean_stability", measure)), ("accuracy", (measure, "best")))
    ]
    scatters += [
        _epsilon(comparison, other, name=f"appe-epsilon-{end}", title=f"Figure E3: epsilon and {end}")
        for end, other in (("stability", "mean_stability"), ("accuracy", "best"))
    ]
    return Study(
        "bartoldson2020/appE",
        "Are less stable networks flatter by every measure?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=(
            _spectra(comparison),
            *scatters,
            _along(comparison),
            _numbers(comparison, [name for name in MEASURES if name in comparison.look.measures]),
            views.correlations(
                panels,
                [
                    pair
                    for measure in (TOP, EPSILON, TIC)
                    for pair in (("mean_stability", measure), *((measure, y) for y in ("best", "final")))
                ],
                name="appe-correlations",
                title="Correlations of every measure with stability and with accuracy",
            ),
            views.scatter(
                panels,
                "mean_stability",
                "best",
                name="fige6",
                title="Figure E6: stability and accuracy, six arms",
            ),
        ),
        claims=tuple(claims),
        notes=(
            "Where epsilon was not reached, correlations with it use the end of the reach; claims on it are not judged "
            "then. The TIC proxy has no value where the sum of the top eigenvalues is not positive.",
        ),
    )


def _claims(comparison: Comparison, tag: str, measure: str, *, sharp: bool) -> list[Claim]:
    """Less stable is flatter, and flatter is better. sharp: whether a larger value means a sharper minimum."""
    with_stability, with_accuracy = (Direction("greater"), Direction("less"))
    if not sharp:
        with_stability, with_accuracy = with_accuracy, with_stability
    ready = (_reached(comparison),) if measure == EPSILON else ()
    asserts = partial(correlates, comparison, place=PLACE)
    return [
        asserts(
            f"stability-{tag}",
            f"Over the runs of six arms, less stability goes with a flatter minimum by {measure}.",
            x="mean_stability",
            y=measure,
            region=with_stability,
            preconditions=(*ready, fits(comparison, measure), moves(comparison)),
        ),
        asserts(
            f"{tag}-accuracy",
            f"Over the runs of six arms, a flatter minimum by {measure} goes with higher best accuracy.",
            x=measure,
            y="best",
            region=with_accuracy,
            preconditions=(*ready, fits(comparison, measure, "best"), moves(comparison, measure)),
        ),
    ]


def _reached(comparison: Comparison) -> Precondition:
    """Where the loss did not rise by .1 within reach, epsilon is only known to be larger."""
    return Precondition(
        "epsilon is reached in every run",
        lambda r: np.concatenate([comparison.values(r, name, REACHED) for name in comparison.by_name]),
        at_least=1,
    )


def _epsilon(comparison: Comparison, other: str, *, name: str, title: str) -> Figure:
    """Epsilon and another quantity; runs in which it was not reached are marked, they stand at the end of the reach."""

    def table(results: Results) -> Table:
        points = comparison.points(results, other, EPSILON, given=(REACHED,))
        return [
            {
                "arm": arm if reached else f"{arm}, at least",
                "replicate": seed,
                other: float(x),
                EPSILON: float(y),
            }
            for x, y, arm, seed, reached in zip(
                points.x, points.y, points.arm, points.seed, points.given[0], strict=True
            )
        ]

    return Figure(
        name,
        title,
        caption='One point a run. "At least": within reach the loss did not rise by 0.1, and epsilon is larger.',
        table=table,
        plot=Scatter(other, EPSILON, series="arm", x_label=views.label(other), y_label=EPSILON),
        lineage=views.lineage({"": comparison}),
    )


def _numbers(comparison: Comparison, measures: Sequence[str]) -> Figure:
    """Every number of every run: sums, the authors' algorithm beside Lanczos, and how good eigenvalues are."""

    def table(results: Results) -> Table:
        return [
            {"panel": measure, "run": f"{arm}, {seed}", "value": float(value), "low": np.nan, "high": np.nan}
            for measure in measures
            for arm in comparison.by_name
            for seed, value in enumerate(comparison.values(results, arm, measure))
        ]

    return Figure(
        "appe-numbers",
        "Sums of eigenvalues, and residuals |H v - value v| over the largest eigenvalue",
        caption="A sum is as good as its residuals are small; the authors' power method is the paper's number.",
        table=table,
        plot=Intervals("run", "value", "low", "high", x_label="value"),
        lineage=views.lineage({"": comparison}),
    )


def _spectra(comparison: Comparison) -> Figure:
    def table(results: Results) -> Table:
        return [
            {"arm": arm.name, "replicate": number, "rank": rank, "eigenvalue": float(value)}
            for arm in comparison.arms
            for number, run in enumerate(arm.runs)
            for rank, value in enumerate(results[comparison.reading(run, TOP)]["eigenvalues"], start=1)
        ]

    return Figure(
        "fige1",
        "Figures E1 and E2: Hessian eigenvalues of largest magnitude",
        caption="Eigenvalues in order of magnitude, sign kept.",
        table=table,
        plot=Lines(
            "rank", "eigenvalue", series="arm", x_label="rank", y_label="eigenvalue", band="bootstrap"
        ),
        lineage=views.lineage({"": comparison}),
    )


def _along(comparison: Comparison) -> Figure:
    """Figure E4: the rise of the loss along eigenvectors, for |e| below 0.13."""

    def table(results: Results) -> Table:
        rows: list[dict[str, object]] = []
        for arm in comparison.arms:
            for number, run in enumerate(arm.runs):
                found = results[comparison.reading(run, EPSILON)]
                rows += [
                    {"panel": f"eigenvector {int(name[9:]) + 1}", "arm": arm.name, "replicate": number}
                    | {"step": float(step), "increase": float(rise)}
                    for name, curve in found.items()
                    if name.startswith("increase.")
                    for step, rise in zip(found["steps"], curve, strict=True)
                    if abs(step) < 0.13
                ]
        return rows

    return Figure(
        "fige4",
        "Figure E4: rise of the test loss along eigenvectors",
        caption="Mean test loss at a step along a unit eigenvector minus that at the minimum; its sign is arbitrary.",
        table=table,
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
        lineage=views.lineage({"": comparison}),
    )
