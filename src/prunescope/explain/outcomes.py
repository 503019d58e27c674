"""What is explained: numbers of one network on some of the test examples, and the level that they are taken at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.measures import Examples
from prunescope.measures.calibration import calibration_error
from prunescope.measures.measure import Measure
from prunescope.measures.outputs import Outputs
from prunescope.tasks.targets import Target

Values = Mapping[str, NDArray[Any]]
ALL = slice(None)
HALVES = {"even": slice(0, None, 2), "odd": slice(1, None, 2)}
"""Alternating test examples, because published test sets are often sorted."""


@dataclass(frozen=True)
class Outcome:
    """A number of a network, of which less is better.

    label: what it is, in a sentence. unit: what a difference of it is counted in.
    measure: the reading of the test examples. of: from that reading to the number.
    """

    label: str
    unit: str
    measure: Measure
    of: Callable[[Values], float]

    def on(self, reading: Values, rows: slice = ALL) -> float:
        """The number on some of the examples."""
        return self.of({name: values[rows] for name, values in reading.items()})


def outcomes(target: Target) -> tuple[Outcome, ...]:
    """What there is for a target, the error first; calibration and classes only where an example has one class."""
    examples, outputs, percent = Examples(split="test"), Outputs(split="test"), "percentage points"
    found = (
        Outcome("test error", percent if target.decides else target.unit, examples, _error),
        Outcome("test loss", "nats", examples, lambda values: float(values["loss"].mean(dtype=np.float64))),
    )
    if not target.classifies:
        return found
    return (
        *found,
        Outcome("calibration error", percent, outputs, _calibration),
        Outcome("error of the worst class", percent, outputs, _worst_class),
    )


def _error(values: Values) -> float:
    return float(100 * (~values["correct"]).mean() if "correct" in values else values["error"].mean())


def _calibration(values: Values) -> float:
    right = values["log_probability"].argmax(axis=1) == values["label"]
    return 100 * calibration_error(np.exp(values["log_probability"].max(axis=1)), right)


def _worst_class(values: Values) -> float:
    wrong = values["log_probability"].argmax(axis=1) != values["label"]
    return 100 * max(float(wrong[values["label"] == label].mean()) for label in np.unique(values["label"]))


def least_error(values: Sequence[Values], *, levels: int, half: str) -> int:
    """The level, from 0, at which the mean error over networks is least on one half of the test examples.

    values: `Examples` of every network, level by level. A rule of `Chosen`.
    """
    errors = [_error({name: array[HALVES[half]] for name, array in value.items()}) for value in values]
    return int(np.reshape(errors, (levels, -1)).mean(axis=1).argmin())
