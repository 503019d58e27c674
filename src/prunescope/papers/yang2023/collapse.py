"""yang2023/collapse: curves of different dimension fall on one when drawn against the signal race."""

import numpy as np
from pydantic import Field

from prunescope.base.value import Value
from prunescope.papers.yang2023.setting import NOTES, PAPER, Keep, Setting
from prunescope.papers.yang2023.sweep import Sweep, available, is_trained, trained_or_nan
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.region import Equivalence
from prunescope.studies.region import Value as Near
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study


class Settings(Value):
    """What is compared. dimensions: of a patch, ascending; everything else is the same. keeps: descending."""

    setting: Setting = Setting()
    dimensions: tuple[int, ...] = Field(default=(300, 500, 800, 1300), min_length=2)
    keeps: tuple[Keep, ...] = Field(default=(1.0, 0.8, 0.6, 0.45, 0.35, 0.25, 0.18, 0.12, 0.08), min_length=2)
    replicates: int = Field(default=10, ge=1)


SCALES = {
    "smoke": Settings(
        setting=Setting(examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=400),
        dimensions=(40, 80),
        keeps=(1.0, 0.3),
        replicates=2,
    ),
    "laptop": Settings(dimensions=(300, 800)),
    "paper": Settings(),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    sweeps = {
        d: Sweep(settings.setting.replace(dimension=d), settings.keeps, settings.replicates)
        for d in settings.dimensions
    }
    return Study(
        "yang2023/collapse",
        "Is one number, signal against memorization, all that the keep probability and the dimension change?",
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates, dimensions {', '.join(map(str, settings.dimensions))}",
        paper=PAPER,
        nodes=[node for sweep in sweeps.values() for point in sweep.points for node in point.errors],
        figures=(
            error_figure(sweeps, name="kept", of="keep", x_label="weights kept at initialization, %"),
            error_figure(
                sweeps, name="collapsed", of="race", x_label="signal race (n / K) (mu / (sigma sqrt(p d)))^q"
            ),
        ),
        claims=(curves_collapse(sweeps), transition_near_one(sweeps)),
        notes=(
            *NOTES,
            "Where the mean curve crosses half the error of guessing is found by straight lines between the logarithms "
            "of neighbouring points; its interval is Student's, of the jackknife over replicates.",
        ),
    )


def error_figure(sweeps: dict[int, Sweep], *, name: str, of: str, x_label: str) -> Figure:
    """Test error over the keep probability, or over the signal race, one curve a dimension."""

    def table(results: Results) -> list[Row]:
        return [
            {
                "dimension": f"d = {d}",
                "replicate": point.replicate,
                "keep": 100 * point.keep,
                "race": point.setting.race(point.keep),
                "test_error": trained_or_nan(results, point, 100 * float(results[point.test]["error"])),
            }
            for d, sweep in sweeps.items()
            for point in available(results, sweep.points)
        ]

    return Figure(
        name,
        "Test error over the keep probability" if of == "keep" else "Test error over the signal race",
        caption="The same runs in both figures. Medians over replicates and their middle half; runs that miss the "
        "target loss are left out.",
        table=table,
        plot=Lines(
            of,
            "test_error",
            series="dimension",
            x_label=x_label,
            y_label="test error, %",
            log_x=True,
            reverse_x=of == "keep",
            centre="median",
            band="quartiles",
        ),
        lineage={f"d = {d}": [point.recipe for point in sweep.points] for d, sweep in sweeps.items()},
    )


def curves_collapse(sweeps: dict[int, Sweep]) -> Claim:
    """The transition lies at the same signal race in the smallest and in the largest dimension."""
    least, most = min(sweeps), max(sweeps)
    return Claim(
        "curves-collapse",
        f"From {least} to {most} dimensions, the place on the signal race where the mean test error falls to half of "
        "guessing moves by less than a factor of 2.",
        basis="proposed",
        place="derived here from the n * SNR^q criterion; the factor is proposed",
        region=Equivalence(1.0),
        sample=lambda r: crossings(r, sweeps[most]) - crossings(r, sweeps[least]),
        preconditions=_crossed(sweeps[least], sweeps[most]),
        unit=f"log2 of the signal race, d = {most} minus d = {least}",
    )


def transition_near_one(sweeps: dict[int, Sweep]) -> Claim:
    """The test error falls where signal overtakes memorization."""
    return Claim(
        "transition-near-one",
        "The mean test error falls to half of guessing where the signal race is between 1/2 and 2.",
        basis="proposed",
        place="derived here from the n * SNR^q criterion; the range is proposed",
        region=Near(0.0, 1.0),
        sample=lambda r: np.mean([crossings(r, sweep) for sweep in sweeps.values()], axis=0),
        preconditions=_crossed(*sweeps.values()),
        unit="log2 of the signal race, mean over dimensions",
    )


def crossings(results: Results, sweep: Sweep) -> Numbers:
    """log2 of the signal race at which the mean test error first falls to half of guessing, [replicates].

    One number a replicate by the jackknife: R times the place in the mean curve of all R replicates minus R - 1 times
    that in the curve without this one. Their mean is the place but for its bias, and Student's interval of them the
    place's. So a replicate that starts below half of guessing, or never falls, has its say like the others. NaN where
    a mean curve has no such place.

    Source: Tukey 1958. A percentile bootstrap is far too narrow at ten replicates.
    """
    places, errors = _curves(results, sweep)
    level, count = sweep.setting.chance / 2, sweep.replicates
    whole = crossing(places, errors, level)
    without = [crossing(places, np.delete(errors, number, axis=1), level) for number in range(count)]
    return count * whole - (count - 1) * np.array(without)


def crossing(places: Numbers, errors: Numbers, level: float) -> float:
    """Where the mean of curves first falls to `level`, by straight lines; NaN if it starts below or never does.

    places: [P], ascending. errors: [P, R]; NaN is missing, and a place without any error is left out.
    """
    there = np.isfinite(errors).any(axis=1)
    places, curve = places[there], np.nanmean(errors[there], axis=1)
    below = np.flatnonzero(curve <= level)
    if len(below) == 0 or below[0] == 0:
        return float("nan")
    after = int(below[0])
    share = (curve[after - 1] - level) / (curve[after - 1] - curve[after])
    return float(places[after - 1] + share * (places[after] - places[after - 1]))


def _curves(results: Results, sweep: Sweep) -> tuple[Numbers, Numbers]:
    """log2 of the signal race, [P], and the test errors of all replicates there, [P, R]; NaN if not trained."""
    keeps = sorted(sweep.keeps, reverse=True)
    errors = [
        [
            float(results[point.test]["error"]) if is_trained(results, point) else np.nan
            for point in sweep.row(keep)
        ]
        for keep in keeps
    ]
    return np.log2([sweep.setting.race(keep) for keep in keeps]), np.array(errors)


def _crossed(*sweeps: Sweep) -> tuple[Precondition, ...]:
    """Enough replicates are trained everywhere, and every mean curve falls to half of guessing."""
    trained = [sweep.are_trained(keep) for sweep in sweeps for keep in sweep.keeps]
    fall = Precondition(
        "in every dimension the mean test error starts above half of guessing and falls below it",
        lambda r: [float(np.isfinite(crossings(r, sweep)).all()) for sweep in sweeps],
        at_least=1.0,
        unit="(1: it does, 0: it does not)",
    )
    return (*trained, fall)
