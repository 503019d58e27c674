"""Statistics of paired differences over examples, for one number and for families of groups at once.

Belongs here: pure functions of arrays over examples. Does not belong here: replicates (`statistics.py`), what is
claimed, where arrays come from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

Flags = NDArray[np.bool_]
LEVEL, DRAWS = 0.95, 2000
_ROUNDS = 10
"""So many rounds of draws are taken after each other, which is what memory is held for."""
PRIOR = 8
"""Degrees of freedom with which the dispersion of the first family counts beside a group's own; proposed."""


@dataclass(frozen=True)
class Family:
    """Estimates of several groups with intervals that all hold at once at `level`.

    n: examples of each group, int64 [G]. estimate, low, high: float64 [G].
    """

    n: NDArray[np.int64]
    estimate: Numbers
    low: Numbers
    high: Numbers
    level: float = LEVEL

    def at(self, groups: NDArray[np.integer]) -> "Family":
        """Some of the groups; their intervals still hold jointly with all others."""
        return Family(self.n[groups], self.estimate[groups], self.low[groups], self.high[groups], self.level)

    def interval(self, group: int) -> Interval:
        """That of one group."""
        return Interval(float(self.estimate[group]), float(self.low[group]), float(self.high[group]), self.level)

    @property
    def worst(self) -> Interval:
        """The largest of the groups' numbers: its interval is [largest low end, largest high end]."""
        return Interval(float(self.estimate.max()), float(self.low.max()), float(self.high.max()), self.level)


def simultaneous(
    changes: Numbers, member: Flags, generator: torch.Generator, *, bounded: bool = True, level: float = LEVEL
) -> Family:
    """The mean change of every group with intervals that hold jointly: mean ± q s / sqrt(n), q by the max-t bootstrap.

    changes: [N], paired differences, one an example. member: [N, G]; groups may overlap.
    bounded: changes lie in [-1, 1], as those of right and wrong do. Standard errors then count one example more that
        was lost and one that was won, so that a group in which nothing changed has no interval of length 0.

    q is the `level` quantile of the largest |t| over groups when every example's deviation gets a Gaussian factor.
    Source: Chernozhukov, Chetverikov and Kato 2013 (multiplier bootstrap); Bonett and Price 2012 (the two examples).
    """
    n = _counts(member)
    values = changes.astype(np.float64)
    mean = values @ member / n
    extra = 2.0 if bounded else 0.0
    square = ((values**2) @ member + extra) / (n + extra)
    error = np.sqrt(np.maximum(square - (mean * n / (n + extra)) ** 2, 0) / (n + extra))
    half = _largest(values, mean, member, n, generator, level) * error
    ends = 1.0 if bounded else math.inf
    return Family(n, mean, np.maximum(mean - half, -ends), np.minimum(mean + half, ends), level)


def _largest(
    values: Numbers, mean: Numbers, member: Flags, n: NDArray[np.int64], generator: torch.Generator, level: float
) -> float:
    """The `level` quantile of the largest |t| over groups, at least the normal one, which it is for a single group."""
    single = _normal((1 + level) / 2)
    if n.size == 1:
        return single
    deviations = np.where(member, values[:, None] - mean, 0.0) / n
    size, factor = (DRAWS // _ROUNDS, len(values)), deviations.astype(np.float32)
    sums = [torch.randn(size, generator=generator).numpy() @ factor for _ in range(_ROUNDS)]
    t = np.abs(np.concatenate(sums)) / np.sqrt((deviations**2).sum(axis=0) + 1e-300)
    return max(float(np.quantile(t.max(axis=1), level)), single)


@dataclass(frozen=True)
class Floor:
    """What several dense networks that differ by seed say about how much one network differs by chance.

    excess: of each group, how much more the network is wrong than the dense ones on average, with joint intervals
        under the hypothesis that it is one of them.
    p: of an excess as large as this in any group if it is one of them, float64 [G].
    dispersion: how many times larger the variance of the dense networks' errors is than if which of them are wrong on
        an example were independent of all other examples, of each group, at least 1, float64 [G].
    """

    excess: Family
    p: Numbers
    dispersion: Numbers


def beyond_seeds(
    wrong: Flags,
    dense: Flags,
    member: Flags,
    family: NDArray[np.int64],
    generator: torch.Generator,
    *,
    level: float = LEVEL,
) -> Floor:
    """Whether a network is wrong in some group more often than another seed of the dense network would be.

    wrong: [N], of the network. dense: [D, N], of D >= 2 dense networks of different seeds. member: [N, G].
    family: which groups belong together, such as all classes, int64 [G]; the first family says what dispersion is
        usual, see `dispersions`.

    If the network is another dense one, which of the D + 1 networks are wrong on an example is a matter of chance. So
    the names of the networks are permuted example by example: with one dense network this is McNemar's test, among
    the dense ones alone Cochran's Q. The largest standardized excess over all groups gives the joint intervals. Seeds
    change similar examples together; the variance is therefore multiplied by the dispersion, and the quantile by
    Student's over the normal one at the degrees of freedom that the dispersion has.

    Raises UsageError for one dense network and for a group without examples.

    Source: Cochran 1950; Westfall and Young 1993 (maximum over groups); McCullagh and Nelder 1989 (dispersion).
    """
    count = len(dense)
    if count < 2:
        raise UsageError("one dense network says nothing of what another seed changes; give a twin")
    n = _counts(member)
    total = dense.sum(axis=0) + wrong
    mixed = (total > 0) & (total < count + 1)
    chance, groups = total[mixed] / (count + 1), member[mixed].astype(np.float32)
    extra = count / (count + 1) ** 2  # one example more on which one network is wrong
    spread = np.sqrt((chance * (1 - chance)) @ groups + extra)
    size, share = (DRAWS // _ROUNDS, len(chance)), chance.astype(np.float32)
    draws = (torch.rand(size, generator=generator).numpy() < share for _ in range(_ROUNDS))
    z = np.concatenate([(drawn - share) @ groups for drawn in draws]) / spread
    up, down = (float(np.quantile(side.max(axis=1), (1 + level) / 2)) for side in (z, -z))
    phi, freedom = dispersions(dense, member, family)
    factor = np.where(phi > 1, np.sqrt(phi) * _student_over_normal(freedom, n.size, level), 1.0)
    scale = (count + 1) / count / n * spread * factor
    excess = (wrong - dense.mean(axis=0)) @ member / n
    observed = (wrong[mixed] - chance) @ groups / spread / factor
    p = ((z.max(axis=1)[:, None] >= observed - 1e-6).sum(axis=0) + 1) / (DRAWS + 1)
    low, high = np.maximum(excess - up * scale, -1.0), np.minimum(excess + down * scale, 1.0)
    return Floor(Family(n, excess, low, high, level), p, phi)


def dispersions(dense: Flags, member: Flags, family: NDArray[np.int64]) -> tuple[Numbers, int]:
    """Observed over expected variance of the dense networks' numbers of errors, of each group, and their freedom.

    dense: [D, N]. member: [N, G]. Expected: if which networks are wrong on an example were independent of all other
    examples; of a single group it is Cochran's Q over its freedom.

    A group's own has D - 1 degrees of freedom, so it is moderated: the mean of its own and that of the first family as
    a whole (without a group of all examples), which counts with `PRIOR` degrees. It is at least 1.

    Source: Smyth 2004 (moderated variances).
    """
    totals, share = dense.astype(np.float64) @ member, dense.mean(axis=0)
    expected = (share * (1 - share)) @ member
    observed = ((totals - totals.mean(axis=0)) ** 2).mean(axis=0)
    first = (family == family[0]) & (member.sum(axis=0) < len(member))
    usual = observed[first].sum() / expected[first].sum() if expected[first].any() else 1.0
    own = np.divide(observed, expected, out=np.full(len(family), usual), where=expected > 0)
    degrees = len(dense) - 1
    return np.maximum(1.0, (degrees * own + PRIOR * usual) / (degrees + PRIOR)), degrees + PRIOR


def by_halves(statistic: Callable[[NDArray[np.int64]], float], examples: int, generator: torch.Generator) -> Interval:
    """The 95 % interval of a number that is no mean, such as a difference of calibration errors: by random halves.

    How far the number of a random half is from that of all examples is distributed as how far that of all is from the
    truth. Unlike a bootstrap, a half has no example twice, which a debiased number would take for certainty.

    statistic: of the places of the examples looked at, [M], the same for both networks, so that differences are paired.

    Source: Shao and Wu 1989 (delete-half jackknife).
    """
    estimate = statistic(np.arange(examples))
    halves = (torch.randperm(examples, generator=generator).numpy()[: examples // 2] for _ in range(DRAWS // 4))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile([statistic(half) for half in halves], [tail, 1 - tail])
    return Interval(estimate, float(2 * estimate - high), float(2 * estimate - low), LEVEL)


def smallest_visible(changes: Numbers) -> float:
    """The smallest mean change that these examples would have shown with probability 0.8: (z + z) s / sqrt(n).

    changes: [N] in [-1, 1]; s counts one example more that was lost and one that was won.
    """
    error = math.sqrt((float((changes**2).sum()) + 2) / (len(changes) + 2) / (len(changes) + 2))
    return (_normal((1 + LEVEL) / 2) + _normal(0.8)) * error


def examples_needed(family: Family, bound: float, examples: int) -> int | None:
    """About how many examples would decide if rates stay as they are: half-widths shrink as 1 / sqrt(n).

    family: fractions. bound: likewise. None where an estimate is at the bound itself, so that no number would do.
    """
    over = family.estimate > bound
    half = np.where(over, family.estimate - family.low, family.high - family.estimate)
    distance = np.abs(family.estimate - bound)
    factor = np.divide(half, distance, out=np.full_like(half, math.inf), where=distance > 0) ** 2
    decides = float(factor[over].min() if over.any() else factor.max())
    return math.ceil(decides * examples) if math.isfinite(decides) else None


def _student_over_normal(freedom: int, groups: int, level: float) -> float:
    from scipy import special

    tail = 1 - (1 - level) / 2 / groups
    return float(special.stdtrit(freedom, tail)) / _normal(tail)


def _normal(probability: float) -> float:
    from scipy import special

    return float(special.ndtri(probability))


def _counts(member: Flags) -> NDArray[np.int64]:
    n = member.sum(axis=0)
    if n.size == 0 or n.min() < 1:
        raise UsageError(f"groups of {n.tolist()} examples; a group without examples has no mean, leave it out")
    return np.asarray(n)
