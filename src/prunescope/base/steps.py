"""Durations: "10ep", "500it", "25%", converted to steps once."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator

from prunescope.base.errors import UsageError

_FORM = re.compile(r"(\d+(?:\.\d+)?)(ep|it|%)")


def _checked(text: object) -> str:
    if not isinstance(text, str) or (match := _FORM.fullmatch(text)) is None:
        raise ValueError(
            f"{text!r} is not a duration; write '10ep' (epochs), '500it' (iterations) or '25%' (of the run)"
        )
    if match[2] == "it" and "." in match[1]:
        raise ValueError(f"{text!r} is not a whole number of iterations; write '{match[1].split('.')[0]}it'")
    return text


Duration = Annotated[str, BeforeValidator(_checked)]
"""A length of training: "10ep", "500it" or "25%" of the run's own length."""


@dataclass(frozen=True)
class Clock:
    """Converts durations of one run to steps.

    epoch_steps: steps in an epoch.
    total: steps in the full schedule.
    """

    epoch_steps: int
    total: int

    def into_epoch(self, step: int) -> int:
        """Steps since the last epoch began: 1 ... epoch_steps, and 0 only at step 0.

        >>> Clock(epoch_steps=469, total=18760).into_epoch(469)
        469
        """
        return (step - 1) % self.epoch_steps + 1 if step > 0 else 0

    def steps(self, duration: str) -> int:
        """The duration in steps, rounded down to a whole step.

        Raises UsageError if `duration` has another form.

        >>> Clock(epoch_steps=469, total=18760).steps("2ep")
        938
        """
        return _steps(duration, self.epoch_steps, self.total)


@lru_cache(maxsize=4096)
def _steps(duration: str, epoch_steps: int, total: int) -> int:
    try:
        match = _FORM.fullmatch(_checked(duration))
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    assert match is not None
    number = Fraction(match[1])
    if match[2] == "it":
        return int(number)
    return int(number * epoch_steps if match[2] == "ep" else number * total / 100)
