"""yang2023/phase-diagram: test error over keep probability and noise, and over keep probability and width, as maps."""

import numpy as np
from pydantic import Field

from prunescope.base.value import Value
from prunescope.papers.yang2023.setting import NOTES, PAPER, Keep, Setting
from prunescope.papers.yang2023.sweep import Point, Sweep, available, is_trained
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Contour, Map, Row
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

AGREEMENT = 80.0
"""Balanced accuracy, percent, from which the predictors are said to place networks (proposed); 50 is a constant's."""


class Settings(Value):
    """What is mapped. setting: noise and width are those of the map over the other. steps of the axes: as listed."""

    setting: Setting = Setting(most_steps=4000)
    keeps: tuple[Keep, ...] = Field(min_length=2)
    noises: tuple[float, ...] = Field(min_length=2)
    widths: tuple[int, ...] = Field(min_length=2)
    replicates: int = Field(ge=1)


def spaced(least: float, most: float, count: int) -> tuple[float, ...]:
    """Numbers in equal ratios, rounded to three digits."""
    return tuple(float(f"{value:.3g}") for value in np.geomspace(least, most, count))


SCALES = {
    "smoke": Settings(
        setting=Setting(
            dimension=60, examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=200
        ),
        keeps=(1.0, 0.3),
        noises=(0.1, 0.5),
        widths=(4, 8),
        replicates=2,
    ),
    "laptop": Settings(
        keeps=spaced(0.02, 1, 8),
        noises=spaced(0.05, 0.5, 8),
        widths=(5, 8, 12, 20, 32, 50, 80, 125),
        replicates=3,
    ),
    "paper": Settings(
        keeps=spaced(0.01, 1, 20),
        noises=spaced(0.05, 0.5, 20),
        widths=tuple(round(width) for width in spaced(4, 160, 20)),
        replicates=10,
    ),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    base, replicates = settings.setting, settings.replicates
    over_noise = {s: Sweep(base.replace(noise=s), settings.keeps, replicates) for s in settings.noises}
    over_width = {float(m): Sweep(base.replace(width=m), settings.keeps, replicates) for m in settings.widths}
    sweeps = (*over_noise.values(), *over_width.values())
    size = f"{len(settings.keeps)} keep probabilities by {len(settings.noises)} noise levels and {len(settings.widths)}"
    return Study(
        "yang2023/phase-diagram",
        "Where do randomly pruned networks learn signal, and where do they memorize noise?",
        settings=settings,
        scale=f"{scale}: {size} widths, {replicates} replicates a cell, at most {base.most_steps} steps a run",
        paper=PAPER,
        nodes=[node for sweep in sweeps for point in sweep.points for node in point.errors],
        figures=(
            map_figure(over_noise, axis="noise", label="standard deviation of the noise"),
            map_figure(over_width, axis="width", label="neurons a class"),
        ),
        claims=(predicted(over_noise, axis="noise"), predicted(over_width, axis="width")),
        notes=(
            *NOTES,
            "Both predictors are derived here from recalled theory. They bound the region of good test error from two "
            "sides: to the left of the solid line memorization wins the race, to the right of the dashed one most "
            "classes have no usable neuron.",
            f"A run takes at most {base.most_steps} steps. At the reference setting, networks that keep 1 % of their "
            "weights need about 9,000 on average, so some sparse cells are empty because the runs are unfinished, not "
            "because they cannot be trained; the claims are about the networks that are trained.",
        ),
    )


def map_figure(sweeps: dict[float, Sweep], *, axis: str, label: str) -> Figure:
    """Test error over the keep probability and one other quantity, against the two predictors."""
    chance = next(iter(sweeps.values())).setting.chance
    return Figure(
        axis,
        f"Test error over keep probability and {axis}",
        caption="Median test error of the trained replicates of a cell; a cell in which fewer than half of them reach "
        "the target loss is empty. Lines: where signal and memorization are level in the race, and where half of the "
        "classes have no usable signal neuron. One recipe a row is listed; the others of the row differ in keep and "
        "seeds.",
        table=lambda results: _rows(results, sweeps, axis),
        plot=Map(
            "keep",
            axis,
            "test_error",
            low=0.0,
            high=100 * chance,
            x_label="weights kept at initialization, %",
            y_label=label,
            value_label="test error, %",
            log_x=True,
            log_y=True,
            reverse_x=True,
            contours=(
                Contour("log_race", 0.0, "signal race = 1"),
                Contour("death", 0.5, "half of the classes dead"),
            ),
        ),
        lineage={f"{axis} {value:g}": [sweep.points[0].recipe] for value, sweep in sweeps.items()},
    )


def predicted(sweeps: dict[float, Sweep], *, axis: str) -> Claim:
    """The two predictors together say which networks generalize."""
    return Claim(
        f"predicted-over-{axis}",
        f"Over keep probability and {axis}, the signal race and the dead classes say of more than {AGREEMENT:g} % of "
        "the trained networks on which side of half the error of guessing they are, counting both sides alike.",
        basis="proposed",
        place="predictors derived here; the share is proposed",
        region=Direction("greater", than=AGREEMENT),
        sample=lambda r: agreement(r, sweeps),
        unit="% balanced accuracy among trained networks",
    )


def agreement(results: Results, sweeps: dict[float, Sweep]) -> Numbers:
    """Balanced accuracy of the predictors on a replicate's trained networks, percent, [replicates with both kinds].

    The mean of the shares that are placed right among those that err on at most half of guessing, and among the rest.
    """
    right: dict[int, tuple[list[bool], list[bool]]] = {}
    for sweep in sweeps.values():
        for point in available(results, sweep.points):
            if is_trained(results, point):
                generalizes = float(results[point.test]["error"]) <= point.setting.chance / 2
                kinds = right.setdefault(point.replicate, ([], []))
                kinds[generalizes].append(generalizes == expected_to_generalize(point))
    both = [right[number] for number in sorted(right) if all(right[number])]
    return np.array([100 * np.mean([np.mean(kind) for kind in kinds]) for kinds in both])


def expected_to_generalize(point: Point) -> bool:
    """Whether signal is ahead of memorization and a class more likely alive than dead."""
    return point.setting.race(point.keep) >= 1 and point.setting.death(point.keep) <= 0.5


def _rows(results: Results, sweeps: dict[float, Sweep], axis: str) -> list[Row]:
    rows: list[Row] = []
    for value, sweep in sweeps.items():
        for keep in sweep.keeps:
            points = available(results, sweep.row(keep))
            trained = [is_trained(results, point) for point in points]
            most = 2 * sum(trained) >= sweep.replicates
            rows += [
                {
                    axis: value,
                    "keep": 100 * keep,
                    "replicate": point.replicate,
                    "trained": reached,
                    "test_error": 100 * float(results[point.test]["error"]) if most and reached else np.nan,
                    "log_race": float(np.log(sweep.setting.race(keep))),
                    "death": sweep.setting.death(keep),
                }
                for point, reached in zip(points, trained, strict=True)
            ]
    return rows
