"""What is explained: numbers of one network on some of the test examples."""

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class Outcome:
    """A number of a network, of which less is better.

    name: its name. label: what it is, in a sentence. unit: what it is counted in, and a difference of it.
    measure: the reading of the test examples. of: from that reading, cut to some examples, to the number.
    """

    name: str
    label: str
    unit: str
    measure: Measure
    of: Callable[[Values], float]

    def on(self, reading: Values, rows: slice) -> float:
        """The number on some of the examples."""
        return self.of({name: values[rows] for name, values in reading.items()})


def outcomes(target: Target) -> tuple[Outcome, ...]:
    """What there is for a target, the error first; calibration and classes only where an example has one class."""
    examples, outputs = Examples(split="test"), Outputs(split="test")
    unit = "percentage points" if target.decides else "units of the error"
    general = (
        Outcome("error", "test error", unit, examples, _error),
        Outcome("loss", "test loss", "nats", examples, lambda v: float(v["loss"].astype(np.float64).mean())),
    )
    try:
        target.require_classes("the calibration of a network")
    except Exception:
        return general
    return (
        *general,
        Outcome("calibration", "calibration error", "percentage points", outputs, _calibration),
        Outcome("worst-class", "error of the worst class", "percentage points", outputs, _worst_class),
    )


def _error(values: Values) -> float:
    return float(100 * (1 - values["correct"].mean()) if "correct" in values else values["error"].mean())


def _calibration(values: Values) -> float:
    right = values["log_probability"].argmax(axis=1) == values["label"]
    return 100 * calibration_error(np.exp(values["log_probability"].max(axis=1)), right)


def _worst_class(values: Values) -> float:
    """Largest error of a class that has examples; the labels before noise are those of the test set."""
    wrong = values["log_probability"].argmax(axis=1) != values["label"]
    return 100 * max(float(wrong[values["label"] == label].mean()) for label in np.unique(values["label"]))
