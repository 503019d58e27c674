"""One line of a result."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """Values of one quantity, one a round; the target is met when their median lies in [low, high].

    Without values it says in place of the unit why there are none, and a target is missed.
    """

    what: str
    values: Numbers
    unit: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def median(self) -> float:
        """The median over the rounds; not a number without rounds."""
        return float(np.median(self.values)) if len(self.values) else math.nan

    @property
    def target(self) -> str:
        """The target in words; empty where there is none."""
        parts = [f"at least {self.low:g}"] if math.isfinite(self.low) else []
        parts += [f"at most {self.high:g}"] if math.isfinite(self.high) else []
        return " and ".join(parts)

    @property
    def verdict(self) -> str:
        """Whether the median meets the target; empty where there is none."""
        if not self.target:
            return ""
        return "met" if self.low <= self.median <= self.high else "missed"

    @property
    def cells(self) -> tuple[str, ...]:
        """What, median, middle half, unit, target and verdict, as text."""
        if len(self.values) == 0:
            return self.what, "", "", self.unit, self.target, self.verdict
        quartiles = [number(float(np.quantile(self.values, share))) for share in (0.25, 0.75)]
        middle = f"{quartiles[0]} to {quartiles[1]}" if len(self.values) > 1 else ""
        return self.what, number(self.median), middle, self.unit, self.target, self.verdict


def number(value: float) -> str:
    """Three significant digits, and no exponent for what people can read.

    >>> number(1234567.0), number(0.01234), number(3.0)
    ('1,234,567', '0.0123', '3')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
