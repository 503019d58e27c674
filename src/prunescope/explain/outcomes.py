"""What is explained: numbers of one network on some of the test examples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from prunescope.measures import Examples
from prunescope.measures.answers import Answers
from prunescope.measures.measure import Measure, Values
from prunescope.measures.outputs import Outputs
from prunescope.tasks.targets import Target

ALL = slice(None)


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
    loss = "nats" if target.unit == "fraction" else f"squared {target.unit}"
    found = (
        Outcome("test error", percent if target.decides else target.unit, examples, _error),
        Outcome("test loss", loss, examples, lambda values: float(values["loss"].mean(dtype=np.float64))),
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
    return 100 * Answers(values["log_probability"], values["label"]).calibration


def _worst_class(values: Values) -> float:
    wrong = Answers(values["log_probability"], values["label"]).wrong
    return 100 * max(float(wrong[values["label"] == label].mean()) for label in np.unique(values["label"]))
