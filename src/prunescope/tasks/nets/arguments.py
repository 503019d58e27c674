"""Checks of the networks' arguments: scaled widths and permitted names."""

from collections.abc import Sequence
from math import isfinite

from prunescope.base.errors import UsageError


def scaled(width: int, scale: float) -> int:
    """The number of units of a hidden layer after scaling, max(1, round(width * scale)).

    Args:
    width: units of the unscaled layer, at least 1.
    scale: positive factor, dimensionless.

    Raises:
    UsageError: `width` is below 1, or `scale` is not positive and finite.

    Source: Jin et al. 2022, width down-scaling.
    Differs from the source: the paper gives no rule for rounding; this is round-half-to-even, and never zero.

    >>> [scaled(16, 0.8**k) for k in range(7)]
    [16, 13, 10, 8, 7, 5, 4]
    """
    if width < 1:
        raise UsageError(f"width {width} is not a number of units; give an integer of at least 1")
    if not (scale > 0 and isfinite(scale)):
        raise UsageError(f"scale {scale} is not a positive finite factor; 1.0 leaves the widths as they are")
    return max(1, round(width * scale))


def require_one_of(name: str, value: object, permitted: Sequence[object]) -> None:
    """Raises UsageError if `value` is not among the permitted ones, which the message lists."""
    if value not in permitted:
        raise UsageError(f"{name}={value!r} is unknown; choose one of {', '.join(map(repr, permitted))}")
