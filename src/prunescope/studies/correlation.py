"""Do runs that have more of one number have more of another? Correlations over points, one a run.

Belongs here: correlation, its p-value and intervals, for runs that come in arms and seeds. Does not belong here: what
the numbers are, means of replicates (`statistics.py`). scipy is imported inside the functions.

Runs of one arm share a setting, and runs of one seed an initialization, so points are not independent: a p-value over
all of them, as published, is too small. Beside it stand the correlation between arms, the one within arms, and
intervals that resample arms and seeds, not points.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from prunescope.base.errors import TooFewReplicates, UsageError
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

LEVEL = 0.95
T = TypeVar("T")
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
    arm: Sequence[str | int] | NDArray[np.int64]
    seed: Sequence[int] | NDArray[np.int64]
    given: tuple[Numbers, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.x), len(self.y), len(self.arm), len(self.seed), *map(len, self.given)}
        if len(sizes) != 1:
            raise UsageError(f"points need an x, a y, an arm and a seed each; there are {sorted(sizes)} of them")

    def __len__(self) -> int:
        return len(self.x)

    def at(self, rows: ArrayLike) -> "Points":
        """The points of these rows, int [M], repetitions included."""
        chosen = np.asarray(rows, dtype=np.int64)
        arm, seed = (np.asarray(names)[chosen] for names in (self.arm, self.seed))
        return Points(self.x[chosen], self.y[chosen], arm, seed, tuple(part[chosen] for part in self.given))


Statistic = Callable[[Points], float]


def pearson(points: Points) -> Correlation:
    """Pearson's r with the p-value of Student's t on n - 2 degrees of freedom."""
    return _partial(points.x, points.y, np.empty((len(points), 0)))


def kendall(points: Points) -> Correlation:
    """Kendall's tau-b with scipy's p-value."""
    from scipy import stats

    if len(points) < 2 or np.ptp(points.x) == 0 or np.ptp(points.y) == 0:
        return Correlation(float("nan"), float("nan"), len(points))
    r_value = stats.kendalltau(points.x, points.y)
    return Correlation(float(r_value.statistic), float(r_value.pvalue), len(points))


def r(points: Points) -> float:
    """Pearson's r alone, for resampling; NaN where it is not defined."""
    return _r(points.x - points.x.mean(), points.y - points.y.mean(), like=points)


def tau(points: Points) -> float:
    """Kendall's tau-b alone, for resampling: concordant minus discordant pairs over the root of untied pairs."""
    signs = [np.sign(v[:, None] - v[None, :]) for v in (points.x, points.y)]
    untied = [float(np.square(sign).sum()) for sign in signs]
    together = float((signs[0] * signs[1]).sum())
    return together / np.sqrt(untied[0] * untied[1]) if min(untied) > 0 else float("nan")


def r_within(points: Points) -> float:
    """Pearson's r of deviations from the arms' means alone, for resampling."""
    arms = np.unique(np.array(points.arm), return_inverse=True)[1]
    counts = np.bincount(arms)
    left, right = (v - (np.bincount(arms, weights=v) / counts)[arms] for v in (points.x, points.y))
    return _r(left, right, like=points)


def partial(points: Points) -> Correlation:
    """Pearson's r of x and y with `given` held fixed: of the residuals of both after regression on it.

    p from Student's t on n - 2 - K degrees of freedom for K quantities. If `given` carries all of the effect of x on
    y, the partial correlation is 0 (it can be 0 for other reasons).

    Source: Fisher 1924. As pingouin.partial_corr.
    """
    return _partial(points.x, points.y, np.reshape(points.given, (len(points.given), len(points))).T)


def r_partial(points: Points) -> float:
    """The same alone, for resampling."""
    basis, _ = np.linalg.qr(np.column_stack([np.ones(len(points)), *points.given]))
    left, right = (v - basis @ (basis.T @ v) for v in (points.x - points.x.mean(), points.y - points.y.mean()))
    return _r(left, right, like=points)


def between_arms(points: Points) -> Correlation:
    """Pearson's r of the arms' means: n is the number of arms."""
    rows = _groups(points.arm)
    x, y = (np.array([v[row].mean() for row in rows]) for v in (points.x, points.y))
    return pearson(Points(x, y, range(len(rows)), range(len(rows))))


def within_arms(points: Points) -> Correlation:
    """Pearson's r of deviations from the arms' means; p on n - arms - 1 degrees of freedom."""
    arms = list(dict.fromkeys(points.arm))
    places = np.array([arms.index(arm) for arm in points.arm], dtype=np.int64)
    members = np.eye(len(arms))[places][:, 1:] if len(arms) > 1 else np.empty((len(points), 0))
    return _partial(points.x, points.y, members)


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
    arm = np.unique(np.array(points.arm), return_inverse=True)[1]
    numbered = replace(points, arm=arm, seed=np.asarray(points.seed))
    draw = _resampler(points, unit, generator)
    draws = (statistic(numbered.at(draw())) for _ in range(resamples))
    values = np.array([value for value in draws if np.isfinite(value)])
    estimate, tail = statistic(points), (1.0 - LEVEL) / 2.0
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
    seeds = list(dict.fromkeys(points.seed))
    if len(seeds) < 2:
        raise TooFewReplicates(f"{len(seeds)} seed cannot be left out; run at least 2 replicates")
    over_all, k = statistic(points), len(seeds)
    others = [points.at([i for i, own in enumerate(points.seed) if own != seed]) for seed in seeds]
    return np.array([k * over_all - (k - 1) * statistic(some) for some in others])


def _partial(x: Numbers, y: Numbers, given: Numbers) -> Correlation:
    """Pearson's r of the residuals of x and y after regression on 1 and `given` [N, K]."""
    from scipy import stats

    n = len(x)
    freedom = n - 2 - given.shape[1]
    if freedom < 0:
        return Correlation(float("nan"), float("nan"), n)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(n), given]))
    left, right = (np.asarray(v, dtype=np.float64) for v in (x, y))
    # Residuals that are rounding alone have no direction.
    least = [1e-12 * max(float(np.abs(v).max(initial=0.0)), 1e-300) * np.sqrt(n) for v in (left, right)]
    left, right = (v - v.mean() - basis @ (basis.T @ (v - v.mean())) for v in (left, right))
    sizes = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    if sizes[0] <= least[0] or sizes[1] <= least[1]:
        return Correlation(float("nan"), float("nan"), n)
    r_value = float(np.clip(left @ right / (sizes[0] * sizes[1]), -1.0, 1.0))
    if freedom == 0:
        return Correlation(r_value, float("nan"), n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        t = r_value * np.sqrt(freedom / np.float64((1.0 - r_value) * (1.0 + r_value)))
    return Correlation(r_value, float(2 * stats.t.sf(abs(t), freedom)), n)


def _r(left: Numbers, right: Numbers, *, like: Points) -> float:
    """The cosine of two deviations; NaN where one is rounding alone."""
    sizes = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    largest = float(np.abs(like.x).max(initial=0.0)), float(np.abs(like.y).max(initial=0.0))
    if any(size <= 1e-12 * most * np.sqrt(len(like)) for size, most in zip(sizes, largest, strict=True)):
        return float("nan")
    return float(np.clip(left @ right / (sizes[0] * sizes[1]), -1.0, 1.0))


def _resampler(points: Points, unit: Unit, generator: torch.Generator) -> Callable[[], list[int]]:
    """What draws the rows of one resample after the other."""
    if unit == "run":
        return lambda: _drawn(list(range(len(points))), generator)
    if unit != "arm and seed":
        groups = _groups(points.seed if unit == "seed" else points.arm)
        return lambda: [i for group in _drawn(groups, generator) for i in group]
    arms, seeds, own = _groups(points.arm), list(dict.fromkeys(points.seed)), list(points.seed)

    def both() -> list[int]:
        groups, drawn = _drawn(arms, generator), _drawn(seeds, generator)
        return [i for group in groups for seed in drawn for i in group if own[i] == seed]

    return both


def _groups(labels: Iterable[object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for row, label in enumerate(labels):
        groups.setdefault(label, []).append(row)
    return list(groups.values())


def _drawn(items: list[T], generator: torch.Generator) -> list[T]:
    return [items[i] for i in torch.randint(len(items), (len(items),), generator=generator).tolist()]
