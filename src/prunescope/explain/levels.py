"""Which level of pruning is explained, chosen on other networks and other test examples than those that judge it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, NDArray[Any]]
HALVES = {"even": slice(0, None, 2), "odd": slice(1, None, 2)}
"""Alternating places, because published test sets are often sorted."""
OTHER = {"even": "odd", "odd": "even"}


def least_error(values: Sequence[Values], *, levels: int, half: str) -> int:
    """The level, from 0, at which the mean error over networks is least on one half of the test examples.

    values: `Examples` of every network, level by level. A rule of `Chosen`.
    """
    rows = HALVES[half]
    errors = [
        1.0 - value["correct"][rows].mean() if "correct" in value else value["error"][rows].mean() for value in values
    ]
    return int(np.reshape(errors, (levels, -1)).mean(axis=1).argmin())
