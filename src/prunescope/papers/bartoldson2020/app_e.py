"""bartoldson2020/appE: spectra, epsilon, the loss along eigenvectors, and the TIC proxy."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from prunescope.base.errors import PrunescopeError
from prunescope.papers.bartoldson import views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import PAPER_2020, Count, Size, words
from prunescope.papers.bartoldson.statements import correlates, fits, is_number, whole
from prunescope.papers.bartoldson2020 import flatness, setting
from prunescope.papers.bartoldson2020.flatness import EPSILON, TOP, TRACE_C
from prunescope.runs.graph import Combined
from prunescope.runs.recipe import Recipe
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure, Lines, Scatter, Table
from prunescope.studies.region import Direction
from prunescope.studies.results import Results
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"


class Settings(Size):
    """How much is run; eigenvalues, and eigenvectors walked along in steps of `step`, of every network.

    tolerance: of eigenvalues and eigenvectors, relative to the largest eigenvalue.
    """

    eigenvalues: Count = 100
    directions: Count = 10
    step: Annotated[float, Field(gt=0)] = 0.01
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), eigenvalues=1, directions=1, step=0.1, tolerance=0.5),
        "laptop": Settings(**setting.SIX.model_dump(), eigenvalues=20, directions=3),
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
        ),
    }
    comparison = setting.six(settings, measures)
    panels = {"VGG11": comparison}
    claims: list[Claim] = []
    for tag, measure, side in (("top", TOP, "greater"), ("epsilon", EPSILON, "less")):
        claims += _claims(comparison, tag, measure, sharp=side == "greater")
    claims.append(
        is_number(
            comparison,
            "top-eigenvalues-size",
            "The top 100 eigenvalues of the network without pruning add up to 205 to 555.",
            arm=NONE,
            quantity=TOP,
            value=380.0,
            tolerance=175.0,
            place="Bartoldson et al. 2020, Figure 6 (ends of an axis in the authors' figure script)",
            preconditions=(whole(settings),),
        )
    )
    scatters = [
        views.scatter(
            panels, x, y, name=f"appe-{tag}-{end}", title=f"{measure}: {x} and {y}".replace("_", " ")
        )
        for tag, measure in (("top", TOP), ("epsilon", EPSILON))
        for end, (x, y) in (("stability", ("mean_stability", measure)), ("accuracy", (measure, "best")))
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
            _tic(comparison),
            views.scatter(
                panels,
                "mean_stability",
                "best",
                name="fige6",
                title="Figure E6: stability and accuracy, six arms",
            ),
        ),
        claims=tuple(claims),
    )


def _claims(comparison: Comparison, tag: str, measure: str, *, sharp: bool) -> list[Claim]:
    """Less stable is flatter, and flatter is better. sharp: whether a larger value means a sharper minimum."""
    with_stability, with_accuracy = (Direction("greater"), Direction("less"))
    if not sharp:
        with_stability, with_accuracy = with_accuracy, with_stability
    asserts = partial(correlates, comparison, place=PLACE)
    return [
        asserts(
            f"stability-{tag}",
            f"Over the runs of six arms, less stability goes with a flatter minimum by {measure}.",
            x="mean_stability",
            y=measure,
            region=with_stability,
        ),
        asserts(
            f"{tag}-accuracy",
            f"Over the runs of six arms, a flatter minimum by {measure} goes with higher best accuracy.",
            x=measure,
            y="best",
            region=with_accuracy,
            preconditions=(fits(comparison),),
        ),
    ]


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


def _tic(comparison: Comparison) -> Figure:
    """Figure E5: Tr(C) over the sum of the top eigenvalues; a run where that is not positive has no point."""

    def value(results: Results, run: Recipe) -> float:
        inputs = (comparison.reading(run, TRACE_C), comparison.reading(run, TOP))
        try:
            return float(results[Combined(function="prunescope.measures.tic:tic", inputs=inputs)]["tic"])
        except PrunescopeError:
            return float("nan")

    def table(results: Results) -> Table:
        return [
            {
                "arm": arm.name,
                "replicate": number,
                "tic": value(results, run),
                "best": float(results[comparison.summary(run)]["best"]),
                "mean_stability": float(results[comparison.summary(run)]["mean_stability"]),
            }
            for arm in comparison.arms
            for number, run in enumerate(arm.runs)
        ]

    return Figure(
        "fige5",
        "Figure E5: the TIC proxy and accuracy",
        caption="Tr(C) over the sum of the top eigenvalues. Stabilities are in the table.",
        table=table,
        plot=Scatter("tic", "best", series="arm", x_label="Tr(C) / Tr(H)", y_label=views.label("best")),
        lineage=views.lineage({"": comparison}),
    )
