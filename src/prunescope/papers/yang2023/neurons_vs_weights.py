"""yang2023/neurons-vs-weights: removing whole neurons against removing single weights, at equal size.

Removing neurons leaves each neuron's signal and noise as they are: the control for size alone.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.yang2023.setting import NOTES, PAPER, Keep, Setting
from prunescope.papers.yang2023.sweep import Point, Sweep, available, trained_or_nan
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study


class Settings(Value):
    """What is compared. sizes: shares of the weights that remain, 1 among them; judged: the one of the claims."""

    setting: Setting = Setting()
    sizes: tuple[Keep, ...] = (1.0, 0.5, 0.2, 0.1, 0.04)
    judged: Keep = 0.2
    replicates: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        if missing := {1.0, self.judged} - set(self.sizes):
            raise ValueError(
                f"sizes={self.sizes} lack {sorted(missing)}, at which claims are judged; add them"
            )
        return self


SCALES = {
    "smoke": Settings(
        setting=Setting(
            dimension=60, examples=20, tests=100, width=10, noise=0.4, deviation=0.1, most_steps=400
        ),
        sizes=(1.0, 0.2),
        replicates=2,
    ),
    "laptop": Settings(),
    "paper": Settings(replicates=20),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings. Raises UsageError for a size that is no whole number of neurons."""
    weights = Sweep(settings.setting, settings.sizes, settings.replicates)
    neurons = {
        size: Sweep(
            settings.setting.replace(width=_width(settings.setting, size)), (1.0,), settings.replicates
        )
        for size in settings.sizes
    }
    arms = {
        "weights removed": {size: weights.row(size) for size in settings.sizes},
        "neurons removed": {size: neurons[size].row(1.0) for size in settings.sizes},
    }
    judged = settings.judged
    return Study(
        "yang2023/neurons-vs-weights",
        "Is it the size? Removing neurons against removing weights at equal size",
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates",
        paper=PAPER,
        nodes=[
            node for arm in arms.values() for row in arm.values() for point in row for node in point.nodes
        ],
        figures=(error_figure(arms, settings.setting),),
        claims=(
            weights_beat_neurons(weights, neurons[judged], judged),
            size_alone(neurons[1.0], neurons[judged], judged),
        ),
        notes=(
            *NOTES,
            "Neurons are drawn independently, so a network from which random ones were removed at initialization is a "
            "narrower network; both are trained on the same data.",
        ),
    )


def error_figure(arms: dict[str, dict[float, list[Point]]], setting: Setting) -> Figure:
    """Test error over the share of weights that remain, one curve an arm."""

    def table(results: Results) -> list[Row]:
        return [
            {
                "arm": arm,
                "replicate": point.replicate,
                "size": 100 * size,
                "width": point.setting.width,
                "test_error": trained_or_nan(results, point, 100 * float(results[point.test]["error"])),
            }
            for arm, rows in arms.items()
            for size, row in rows.items()
            for point in available(results, row)
        ]

    return Figure(
        "error",
        "Test error over size",
        caption=f"Test error when weights are removed one by one, and when whole neurons are removed (of "
        f"{setting.width} a class), at equal numbers of weights. Medians over replicates and their middle half.",
        table=table,
        plot=Lines(
            "size",
            "test_error",
            series="arm",
            x_label="weights that remain, %",
            y_label="test error, %",
            log_x=True,
            reverse_x=True,
            centre="median",
            band="quartiles",
        ),
        lineage={arm: [point.recipe for row in rows.values() for point in row] for arm, rows in arms.items()},
    )


def weights_beat_neurons(weights: Sweep, neurons: Sweep, size: float) -> Claim:
    """At equal size, removing weights leaves a lower test error."""
    return Claim(
        "weights-beat-neurons",
        f"At {100 * size:g} % of the weights, a network without some weights errs less than one without some neurons.",
        basis="proposed",
        place="the control for size alone; masking weights cuts noise, removing neurons does not",
        region=Direction("greater"),
        sample=lambda r: _difference(r, (neurons, 1.0), (weights, size)),
        preconditions=(weights.are_trained(size), neurons.are_trained(1.0)),
        unit="percentage points of test error, neurons minus weights",
    )


def size_alone(full: Sweep, small: Sweep, size: float) -> Claim:
    """Removing neurons alone does not change the test error."""
    return Claim(
        "size-alone",
        f"Removing neurons down to {100 * size:g} % of the weights moves the test error by less than 5 points.",
        basis="proposed",
        place="the control for size alone; the margin is proposed",
        region=Equivalence(5.0),
        sample=lambda r: _difference(r, (small, 1.0), (full, 1.0)),
        preconditions=(full.are_trained(1.0), small.are_trained(1.0)),
        unit="percentage points of test error, few neurons minus all",
    )


def _difference(results: Results, left: tuple[Sweep, float], right: tuple[Sweep, float]) -> Numbers:
    """Test errors of two rows that share their replicates' data, percentage points, paired."""
    both = sorted(set(left[0].trained(results, left[1])) & set(right[0].trained(results, right[1])))
    errors = [sweep.values(results, keep, "test", "error", among=both) for sweep, keep in (left, right)]
    return np.asarray(100 * (errors[0] - errors[1]))


def _width(setting: Setting, size: float) -> int:
    width = setting.width * size
    if round(width) < 1 or abs(width - round(width)) > 1e-6:
        raise UsageError(
            f"size {size:g} of {setting.width} neurons a class is {width:g}; choose sizes that leave whole neurons"
        )
    return round(width)
