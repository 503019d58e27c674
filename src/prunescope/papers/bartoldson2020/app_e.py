"""bartoldson2020/appE: spectra, epsilon, the loss along eigenvectors, and the TIC proxy."""

from collections.abc import Mapping
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
from prunescope.papers.bartoldson2020 import app_e_views, flatness, setting
from prunescope.papers.bartoldson2020.flatness import (
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
    TRACE_C,
    TRACE_H,
)
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.region import Direction
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.4 and appendix E"
SUMS = (TRACE_H, TOP, POWER, SHARE, POWER_SHARE)
"""What stands beside each other: the whole trace, the authors' sum of eigenvalues, and its share of the trace."""
MEASURES = (*SUMS, ABOVE, RESIDUAL, POWER_RESIDUAL)


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


def comparison_of(settings: Settings) -> Comparison:
    """The six arms of Figure 6 under every measure of flatness."""
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
    share = "prunescope.papers.bartoldson2020.flatness:share"
    combined = {
        SHARE: (share, (TOP, TRACE_H), "share"),
        **({POWER_SHARE: (share, (POWER, TRACE_H), "share")} if settings.power else {}),
        TIC: ("prunescope.measures.tic:tic", (TRACE_C, TOP), "tic"),
        RISE: ("prunescope.papers.bartoldson2020.flatness:rise", (EPSILON,), "rise"),
    }
    return setting.six(settings, measures, combined)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    comparison = comparison_of(settings)
    sharp = {"top": (TOP, True), "epsilon": (EPSILON, False), "rise": (RISE, True), "tic": (TIC, True)}
    claims = [
        claim
        for tag, (measure, larger) in sharp.items()
        for claim in _claims(comparison, tag, measure, sharp=larger)
    ]
    claims += [
        correlates(
            comparison,
            "tradeoff-six-arms",
            "Over the runs of six arms, best accuracy falls with mean stability.",
            x="mean_stability",
            y="best",
            region=Direction("less"),
            basis="proposed",
            place=f"{PLACE} (Figure E6 draws it; what is said of it is not in the text at hand)",
        ),
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
        ),
    ]
    return Study(
        "bartoldson2020/appE",
        "Are less stable networks flatter by every measure?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=_figures(comparison),
        claims=tuple(claims),
        notes=(
            "Where epsilon was not reached, correlations with it use the end of the reach; claims on it are not judged "
            "then. The TIC proxy has no value where the sum of the top eigenvalues is not positive. The rise along "
            f"eigenvectors is the mean over them and over all steps below {NEAR:g}, as Figure E4 draws them.",
            "The numbers of this appendix are not in the text at hand, so directions are claimed, not values.",
        ),
    )


def _figures(comparison: Comparison) -> tuple[Figure, ...]:
    panels = {"VGG11": comparison}
    taken = {*comparison.look.measures, *comparison.look.combined}
    scatters = [
        views.scatter(panels, x, y, name=f"appe-{tag}-{end}", title=f"{measure} and {end}")
        for tag, measure in (("top", TOP), ("rise", RISE), ("tic", TIC))
        for end, (x, y) in (("stability", ("mean_stability", measure)), ("accuracy", (measure, "best")))
    ]
    scatters += [
        app_e_views.epsilon(
            comparison, other, name=f"appe-epsilon-{end}", title=f"Figure E3: epsilon and {end}"
        )
        for end, other in (("stability", "mean_stability"), ("accuracy", "best"))
    ]
    pairs = [
        pair
        for measure in (TOP, TRACE_H, EPSILON, RISE, TIC, SHARPNESS)
        for pair in (("mean_stability", measure), *((measure, y) for y in ("best", "final")))
    ]
    return (
        app_e_views.spectra(comparison),
        *scatters,
        app_e_views.along(comparison),
        app_e_views.numbers(comparison, [name for name in MEASURES if name in taken]),
        views.scatter(
            panels,
            TRACE_H,
            TOP,
            name="appe-trace-top",
            title="The whole trace and the sum of top eigenvalues",
        ),
        views.means(
            panels,
            [name for name in (*SUMS, SHARPNESS) if name in taken],
            name="appe-means",
            title="Means of every arm",
        ),
        views.correlations(
            panels,
            pairs,
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
