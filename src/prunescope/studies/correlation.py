"""Do runs that have more of one number have more of another? Correlations over points, one a run.

Belongs here: correlation, its p-value and intervals, for runs that come in arms and seeds. Does not belong here: what
the numbers are, means of replicates (`statistics.py`). scipy is imported inside the functions.

Runs of one arm share a setting, and runs of one seed an initialization, so points are not independent: a p-value over
all of them, as published, is too small. Beside it stand the correlation between arms, the one within arms, and
intervals that resample arms and seeds, not points.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import TooFewReplicates, UsageError
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

LEVEL = 0.95
Unit = Literal["run", "seed", "arm", "arm and seed"]
"""What is drawn with replacement: points; whole seeds; whole arms; arms and seeds.

"arm and seed" draws arms, and one set of seeds for all of them, because runs of a seed share their initialization
and the order of their batches in every arm."""


@dataclass(frozen=True)
class Correlation:
    """A correlation over n points and its two-sided p-value; NaN where it is not defined (no spread)."""

    estimate: float
    p: float
    n: int


@dataclass(frozen=True)
class Points:
    """One point a run: x and y [N], the arm and seed that each belongs to, and what is held fixed, each [N]."""

    x: Numbers
    y: Numbers
    arm: Sequence[str | int]
    seed: Sequence[int]
    given: tuple[Numbers, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.x), len(self.y), len(self.arm), len(self.seed), *map(len, self.given)}
        if len(sizes) != 1:
            raise UsageError(f"points need an x, a y, an arm and a seed each; there are {sorted(sizes)} of them")

    def __len__(self) -> int:
        return len(self.x)


Statistic = Callable[[Points, Numbers], Numbers]
"""Of points that are there as often as weights say, whole numbers [B, N]: one number a row, [B]; NaN if undefined."""


def pearson(points: Points) -> Correlation:
    """Pearson's r with the p-value of Student's t on n - 2 degrees of freedom."""
    return _with_p(points, r, len(points) - 2)


def kendall(points: Points) -> Correlation:
    """Kendall's tau-b with scipy's p-value."""
    from scipy import stats

    if len(points) < 2 or np.ptp(points.x) == 0 or np.ptp(points.y) == 0:
        return Correlation(float("nan"), float("nan"), len(points))
    r_value = stats.kendalltau(points.x, points.y)
    return Correlation(float(r_value.statistic), float(r_value.pvalue), len(points))


def r(points: Points, weights: Numbers) -> Numbers:
    """Pearson's r alone, for resampling: a `Statistic`."""
    left, right = _centred(points, weights)
    return _r(left, right, points, weights)


def tau(points: Points, weights: Numbers) -> Numbers:
    """Kendall's tau-b alone, for resampling: concordant minus discordant pairs over the root of untied pairs."""
    first, second = (np.sign(v[:, None] - v[None, :]) for v in (points.x, points.y))
    together, *untied = (((weights @ pairs) * weights).sum(1) for pairs in (first * second, first**2, second**2))
    return np.where(np.minimum(*untied) > 0, together / np.sqrt(np.maximum(untied[0] * untied[1], 1)), np.nan)


def r_within(points: Points, weights: Numbers) -> Numbers:
    """Pearson's r of deviations from the arms' means alone, for resampling."""
    arms = _numbered(points.arm)
    members, root = np.eye(arms.max() + 1)[arms], np.sqrt(weights)
    counts = np.maximum(weights @ members, 1)
    left, right = (root * (v - (((weights * v) @ members) / counts)[:, arms]) for v in (points.x, points.y))
    return _r(left, right, points, weights)


def partial(points: Points) -> Correlation:
    """Pearson's r of x and y with `given` held fixed: of the residuals of both after regression on it.

    p from Student's t on n - 2 - K degrees of freedom for K quantities. If `given` carries all of the effect of x on
    y, the partial correlation is 0 (it can be 0 for other reasons).

    Source: Fisher 1924. As pingouin.partial_corr.
    """
    return _with_p(points, r_partial, len(points) - 2 - len(points.given))


def r_partial(points: Points, weights: Numbers) -> Numbers:
    """The same alone, for resampling."""
    root = np.sqrt(weights)[..., None]
    basis, _ = np.linalg.qr(root * np.column_stack([np.ones(len(points)), *points.given]))
    columns = (v[..., None] for v in _centred(points, weights))
    left, right = ((v - basis @ (basis.swapaxes(1, 2) @ v))[..., 0] for v in columns)
    return _r(left, right, points, weights)


def between_arms(points: Points) -> Correlation:
    """Pearson's r of the arms' means: n is the number of arms."""
    arms = _numbered(points.arm)
    x, y = (np.bincount(arms, weights=v) / np.bincount(arms) for v in (points.x, points.y))
    return pearson(Points(x, y, range(len(x)), range(len(x))))


def within_arms(points: Points) -> Correlation:
    """Pearson's r of deviations from the arms' means; p on n - arms - 1 degrees of freedom."""
    return _with_p(points, r_within, len(points) - len(set(points.arm)) - 1)


def fisher_interval(correlation: Correlation) -> Interval:
    """Fisher's 95 % interval of Pearson's r, for independent points: tanh(atanh r ± z / sqrt(n - 3)).

    NaN ends for fewer than four points. Source: Fisher 1915, as pingouin.
    """
    from scipy import stats

    r_value, n = correlation.estimate, correlation.n
    if n < 4 or not np.isfinite(r_value):
        return Interval(r_value, float("nan"), float("nan"), LEVEL)
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) / np.sqrt(n - 3)
    centre = np.arctanh(np.clip(r_value, -1 + 1e-15, 1 - 1e-15))
    return Interval(r_value, float(np.tanh(centre - half)), float(np.tanh(centre + half)), LEVEL)


def bootstrap(
    points: Points,
    statistic: Statistic,
    generator: torch.Generator,
    *,
    unit: Unit = "arm and seed",
    resamples: int = 2000,
) -> Interval:
    """95 % percentile interval of a statistic over resamples of the unit; resamples without a value are left out.

    Source: Efron 1979; resampling of whole groups: Davison and Hinkley 1997, section 3.8.
    """
    draws = statistic(points, _resamples(points, unit, generator, resamples))
    values, (estimate,) = draws[np.isfinite(draws)], statistic(points, np.ones((1, len(points)))).tolist()
    tail = (1.0 - LEVEL) / 2.0
    if len(values) < resamples / 2:
        return Interval(estimate, float("nan"), float("nan"), LEVEL)
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return Interval(estimate, float(low), float(high), LEVEL)


def pseudo_values(points: Points, statistic: Statistic) -> Numbers:
    """Jackknife pseudo-values, one a seed: k s(all) - (k - 1) s(all but this seed), [k].

    Their mean estimates the statistic, and Student's interval of them is the jackknife's: what makes a statistic of
    all runs into one number a replicate. A seed is left out with its runs in all arms.

    Raises TooFewReplicates for fewer than two seeds. Source: Tukey 1958.
    """
    seeds = _numbered(points.seed)
    k = int(seeds.max(initial=-1)) + 1
    if k < 2:
        raise TooFewReplicates(f"{k} seed cannot be left out; run at least 2 replicates")
    all_but = np.vstack([np.ones(len(points)), np.arange(k)[:, None] != seeds])
    values = statistic(points, all_but)
    return np.asarray(k * values[0] - (k - 1) * values[1:])


def _with_p(points: Points, statistic: Statistic, freedom: int) -> Correlation:
    """The statistic of all points with the p-value of Student's t on so many degrees of freedom, if there are any."""
    from scipy import stats

    if freedom < 0:
        return Correlation(float("nan"), float("nan"), len(points))
    (estimate,) = statistic(points, np.ones((1, len(points)))).tolist()
    if freedom == 0:
        return Correlation(estimate, float("nan"), len(points))
    with np.errstate(divide="ignore"):
        t = np.abs(estimate) * np.sqrt(freedom / np.float64((1.0 - estimate) * (1.0 + estimate)))
    return Correlation(estimate, float(2 * stats.t.sf(t, freedom)), len(points))


def _centred(points: Points, weights: Numbers) -> Iterator[Numbers]:
    """Deviations of x and y from their means, times the roots of the weights: [B, N] each."""
    total = np.maximum(weights.sum(1, keepdims=True), 1)
    return (np.sqrt(weights) * (v - (weights * v).sum(1, keepdims=True) / total) for v in (points.x, points.y))


def _r(left: Numbers, right: Numbers, points: Points, weights: Numbers) -> Numbers:
    """The cosine of two such deviations; NaN where one is rounding alone."""
    sizes, there = [np.linalg.norm(v, axis=1) for v in (left, right)], weights > 0
    largest = [np.max(np.where(there, np.abs(v), 0.0), axis=1, initial=0.0) for v in (points.x, points.y)]
    least = 1e-12 * np.sqrt(weights.sum(1))
    spread = (sizes[0] > least * largest[0]) & (sizes[1] > least * largest[1])
    product = np.where(spread, sizes[0] * sizes[1], 1.0)
    return np.where(spread, np.clip((left * right).sum(1) / product, -1.0, 1.0), np.nan)


def _resamples(points: Points, unit: Unit, generator: torch.Generator, count: int) -> Numbers:
    """How often each point is in every resample: [count, N]."""
    arms, seeds = _numbered(points.arm), _numbered(points.seed)
    units = {"run": [np.arange(len(points))], "arm": [arms], "seed": [seeds], "arm and seed": [arms, seeds]}[unit]
    sizes = [int(labels.max()) + 1 for labels in units]
    draws = [[torch.randint(size, (size,), generator=generator) for size in sizes] for _ in range(count)]
    weights = np.ones((count, len(points)))
    for labels, size, drawn in zip(units, sizes, zip(*draws, strict=True), strict=True):
        places = torch.stack(drawn).numpy() + size * np.arange(count)[:, None]
        weights *= np.bincount(places.ravel(), minlength=count * size).reshape(count, size)[:, labels]
    return weights


def _numbered(labels: Sequence[object]) -> NDArray[np.int64]:
    """Every label as its number, in the order in which they come first: [N]."""
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels], dtype=np.int64)
