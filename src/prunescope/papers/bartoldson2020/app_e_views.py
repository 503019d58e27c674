"""What appendix E draws: spectra, the loss along eigenvectors, epsilon, and the numbers of every run.

Belongs here: figures over the readings of `flatness.further`. Does not belong here: scatters and correlations of any
quantities (`bartoldson/views.py`), claims (`app_e.py`).
"""

from collections.abc import Sequence

import numpy as np

from prunescope.papers.bartoldson import views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson2020.flatness import EPSILON, NEAR, REACHED, TOP
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Lines, Scatter, Table
from prunescope.studies.results import Results


def epsilon(comparison: Comparison, other: str, *, name: str, title: str) -> Figure:
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


def numbers(comparison: Comparison, measures: Sequence[str]) -> Figure:
    """Every number of every run: the trace and sums, the authors' algorithm beside Lanczos, residuals."""

    def table(results: Results) -> Table:
        return [
            {"panel": measure, "run": f"{arm}, {seed}", "value": float(value), "low": np.nan, "high": np.nan}
            for measure in measures
            for arm in comparison.by_name
            for seed, value in enumerate(comparison.values(results, arm, measure))
        ]

    return Figure(
        "appe-numbers",
        "Tr(H), sums of eigenvalues, and residuals |H v - value v| over the largest eigenvalue",
        caption="A sum is as good as its residuals are small; the authors' power method is the paper's number, which "
        "they call Tr(H). Beside it stand the whole trace, exact, and the share of it that a sum is.",
        table=table,
        plot=Intervals("run", "value", "low", "high", x_label="value"),
        lineage=views.lineage({"": comparison}),
    )


def spectra(comparison: Comparison) -> Figure:
    """Figures E1 and E2: eigenvalues in order of magnitude."""

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


def along(comparison: Comparison) -> Figure:
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
                    if abs(step) < NEAR
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
