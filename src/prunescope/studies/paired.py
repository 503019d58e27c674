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
    n = member.sum(axis=0)
    _check(n)
    values = changes.astype(np.float64)
    mean = values @ member / n
    extra = 2.0 if bounded else 0.0
    square = ((values**2) @ member + extra) / (n + extra)
    error = np.sqrt(np.maximum(square - (mean * n / (n + extra)) ** 2, 0) / (n + extra))
    deviations = np.where(member, values[:, None] - mean, 0.0) / n
    factors = torch.randn(DRAWS, len(values), generator=generator, dtype=torch.float32).numpy()
    drawn = factors @ deviations.astype(np.float32)
    t = np.abs(drawn) / np.maximum(np.sqrt((deviations**2).sum(axis=0)), 1e-300)
    q = max(float(np.quantile(t.max(axis=1), level)), _normal((1 + level) / 2))
    return Family(n, mean, mean - q * error, mean + q * error, level)


@dataclass(frozen=True)
class Floor:
    """What several dense networks that differ by seed say about how much one network differs by chance.

    excess: of each group, how much more the network is wrong than the dense ones on average, with joint intervals
        under the hypothesis that it is one of them.
    p: that its excess is so large or larger in any group of the family if it is one of them, float64 [G].
    dispersion: how many times larger the variance between the dense networks' errors by class is than if examples
        changed independently of each other; at least 1.
    """

    excess: Family
    p: Numbers
    dispersion: float


def beyond_seeds(
    wrong: Flags,
    dense: Flags,
    member: Flags,
    classes: Flags,
    generator: torch.Generator,
    *,
    level: float = LEVEL,
) -> Floor:
    """Whether a network is wrong in some group more often than another seed of the dense network would be.

    wrong: [N], of the network. dense: [D, N], of D >= 2 dense networks of different seeds. member: [N, G], the family.
    classes: [N, C], groups without overlap, from which the dispersion is estimated.

    If the network is another dense one, which of the D + 1 networks are wrong on an example is a matter of chance. So
    the labels of the networks are permuted example by example: with one dense network this is McNemar's test, among
    the dense ones alone Cochran's Q. The largest standardized excess over groups gives the joint intervals. Seeds
    change examples of a class together; the variance is therefore multiplied by the dispersion, and the quantiles by
    Student's over the normal one at the degrees of freedom that the dispersion has.

    Source: Cochran 1950; Westfall and Young 1993 (maximum over groups); McCullagh and Nelder 1989 (dispersion).
    """
    count = len(dense)
    if count < 2:
        raise UsageError("one dense network says nothing of what another seed changes; give a twin")
    n = member.sum(axis=0)
    _check(n)
    total = dense.sum(axis=0) + wrong
    chance = total / (count + 1)
    mixed = (total > 0) & (total < count + 1)
    mixed_chance, groups = chance[mixed], member[mixed].astype(np.float32)
    extra = count / (count + 1) ** 2  # one example more on which one network is wrong
    spread = np.sqrt((mixed_chance * (1 - mixed_chance)) @ groups + extra)
    draws = torch.rand(DRAWS, int(mixed.sum()), generator=generator).numpy() < mixed_chance
    z = (draws - mixed_chance).astype(np.float32) @ groups / spread
    observed = (wrong[mixed] - mixed_chance) @ groups / spread
    phi, freedom = dispersion(dense, classes)
    factor = math.sqrt(phi) * _student_over_normal(freedom, n.size, level) if phi > 1 else 1.0
    up, down = (float(np.quantile(side.max(axis=1), (1 + level) / 2)) for side in (z, -z))
    scale = (count + 1) / count / n * spread * factor
    excess = (wrong - dense.mean(axis=0)) @ member / n
    p = ((z.max(axis=1)[:, None] >= observed / factor - 1e-6).sum(axis=0) + 1) / (DRAWS + 1)
    return Floor(Family(n, excess, excess - up * scale, excess + down * scale, level), p, phi)


def dispersion(dense: Flags, classes: Flags) -> tuple[float, int]:
    """Observed over expected variance of the dense networks' numbers of errors by class, at least 1, and its freedom.

    Expected: if which networks are wrong on an example were independent of all other examples.
    """
    count = len(dense)
    totals = dense.astype(np.float64) @ classes
    share = dense.mean(axis=0)
    expected = (share * (1 - share)) @ classes
    observed = ((totals - totals.mean(axis=0)) ** 2).sum(axis=0)
    used = expected > 0
    if not used.any():
        return 1.0, 1
    return max(1.0, float(observed[used].sum() / (count * expected[used].sum()))), int((count - 1) * used.sum())


def paired_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], examples: int, generator: torch.Generator, *, level: float = LEVEL
) -> Interval:
    """The basic bootstrap interval of a number that is no mean, such as a difference of calibration errors.

    statistic: of the places of the examples looked at, [N], the same for both networks, so that differences are paired.

    Source: Davison and Hinkley 1997, section 5.2 (2 estimate - quantile).
    """
    estimate = statistic(np.arange(examples))
    draws = (torch.randint(examples, (examples,), generator=generator).numpy() for _ in range(DRAWS // 4))
    tail = (1 - level) / 2
    low, high = np.quantile([statistic(draw) for draw in draws], [tail, 1 - tail])
    return Interval(estimate, float(2 * estimate - high), float(2 * estimate - low), level)


def smallest_visible(changes: Numbers, *, power: float = 0.8, level: float = LEVEL) -> float:
    """The smallest mean change that these examples would have shown with probability `power`: (z + z) s / sqrt(n).

    changes: [N] in [-1, 1]; s counts one example more that was lost and one that was won.
    """
    error = math.sqrt((float((changes**2).sum()) + 2) / (len(changes) + 2) / (len(changes) + 2))
    return (_normal((1 + level) / 2) + _normal(power)) * error


def _student_over_normal(freedom: int, groups: int, level: float) -> float:
    from scipy import stats

    tail = 1 - (1 - level) / 2 / groups
    return float(stats.t.ppf(tail, freedom)) / _normal(tail)


def _normal(probability: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(probability))


def _check(n: NDArray[np.int64]) -> None:
    if n.size == 0 or n.min() < 1:
        raise UsageError(f"groups of {n.tolist()} examples; a group without examples has no mean, leave it out")
