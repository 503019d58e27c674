"""When replicates that are added are looked at, and what holds at all looks together."""

import math
from functools import lru_cache

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.studies.results import Numbers

FIRST, MOST = 3, 1_000
STUDIES = 40_000
"""Simulated studies by which intervals are made to hold at every look: an error of 5 % is one of 4.8 to 5.2 %."""


def looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of replicates at which claims are judged: from `first` on, a quarter more each time, up to `most`.

    Raises UsageError for fewer than two replicates at first, fewer at most than at first, or more than `MOST`.

    >>> looks(3, 20)
    (3, 4, 5, 7, 9, 12, 15, 19, 20)
    """
    if not 2 <= first <= most:
        raise UsageError(f"from {first} to {most} replicates there is no look; begin with 2 or more, and end later")
    if most > MOST:
        raise UsageError(f"{most:,} replicates at most: no study has more than {MOST:,}; choose fewer (--most)")
    numbers = [first]
    while numbers[-1] < most:
        numbers.append(min(most, math.ceil(1.25 * numbers[-1])))
    return tuple(numbers)


def repeated_level(level: float, at: tuple[int, ...]) -> float:
    """The level of each of several t-intervals, so that all of them hold together with probability `level`.

    at: the numbers of replicates at which they are taken, each sample the beginning of the next.

    Of Gaussian replicates the t-statistics at all looks have one joint distribution, whatever mean and variance are, so
    the level is found once by simulation under a fixed seed.

    Source: Pocock 1977 (the same level at every look); Jennison and Turnbull 1989 (repeated confidence intervals).
    Differs from the source: exact for unknown variance and few replicates, by simulation.
    """
    return 1.0 - float(np.quantile(_least_p(at), 1.0 - level))


def repeated_p(p: float, at: tuple[int, ...]) -> float:
    """The p-value of a t-test that holds at all looks: how often the least of all two-sided p is at most `p` by chance.

    p: two-sided, at one of the looks. at: as in `repeated_level`, whose inverse it is: to 1 in 40,000, never below.
    """
    least = _least_p(at)
    return float((1 + np.searchsorted(least, p, side="right")) / (1 + len(least)))


@lru_cache(16)
def _least_p(at: tuple[int, ...]) -> Numbers:
    """Of each simulated study of nothing the least two-sided p over all looks, in order: [STUDIES]."""
    from scipy import stats

    draws = np.random.Generator(np.random.Philox(0)).standard_normal((STUDIES, max(at)))
    sizes = np.asarray(at)
    sums, squares = (np.cumsum(draws**power, axis=1)[:, sizes - 1] for power in (1, 2))
    variances = (squares - sums**2 / sizes) / (sizes - 1)
    p = 2.0 * stats.t.sf(np.abs(sums) / np.sqrt(variances * sizes), sizes - 1)
    return np.sort(p.min(axis=1))
