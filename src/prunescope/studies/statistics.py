"""Small-sample statistics of replicates.

Belongs here: functions of plain arrays, one number a replicate. Does not belong here: what is claimed, or
where the numbers come from. scipy is imported inside the functions, so that importing the package stays
cheap, and its functions rather than its distributions where they will do, which takes a second less.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from prunescope.base.errors import TooFewReplicates, UsageError
from prunescope.studies.results import Numbers


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its confidence interval at `level`, in the unit of the values."""

    estimate: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"

    @property
    def has_width(self) -> bool:
        """Whether its ends differ by more than rounding: where they do not, all replicates are alike."""
        return self.high - self.low > 1e-9 * abs(self.estimate)

    def times(self, scale: float) -> "Interval":
        """The same in another unit; scale is positive."""
        return Interval(scale * self.estimate, scale * self.low, scale * self.high, self.level)


def differs(differences: ArrayLike) -> bool:
    """Whether two results differ by the one-standard-deviation rule: |mean| >= std (ddof 1), and mean != 0.

    differences: [R], paired, one a replicate, R >= 2. Raises TooFewReplicates for fewer.
    Source: Jin et al. 2022, Sec. 2 ("matches" is the opposite).
    Differs from the source: it does not say which standard deviation; here the sample one of the paired
    differences.
    """
    values = _sample(differences, fewest=1)
    if len(values) < 2:
        raise TooFewReplicates("1 replicate has no standard deviation to compare with; run at least 2")
    mean = float(values.mean())
    return mean != 0.0 and abs(mean) >= float(values.std(ddof=1))


def false_positive_rate(replicates: int) -> float:
    """How often `differs` fires when nothing differs: P(|t| >= sqrt(n)) with n - 1 degrees of freedom.

    Exact for Gaussian differences. Raises UsageError for fewer than two replicates.

    >>> round(false_positive_rate(3), 3)
    0.225
    """
    from scipy import special

    if replicates < 2:
        raise UsageError(f"{replicates} replicate has no standard deviation; at least 2 are needed")
    return float(2.0 * special.stdtr(replicates - 1, -math.sqrt(replicates)))


def t_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Student's interval for the mean: mean ± t_{(1+level)/2, n-1} std / sqrt(n).

    values: [R], R >= 2; of paired differences this is the paired interval. Raises UsageError for fewer, or
    for a level outside (0, 1).
    """
    from scipy import special

    sample = _sample(values, fewest=2)
    mean, error = float(sample.mean()), _standard_error(sample)
    half = float(special.stdtrit(len(sample) - 1, (1.0 + _level(level)) / 2.0)) * error
    return Interval(estimate=mean, low=mean - half, high=mean + half, level=level)


def t_test(values: ArrayLike, *, than: float = 0.0) -> float:
    """One-sided p-value of "the mean is greater than `than`"; 1 - p is the one of "less".

    values: [R], R >= 2. Without any spread p is 0, 1/2 or 1.
    """
    from scipy import special

    sample = _sample(values, fewest=2)
    distance, error = float(sample.mean()) - than, _standard_error(sample)
    if error == 0.0:
        return 0.5 * (1.0 - float(np.sign(distance)))
    return float(special.stdtr(len(sample) - 1, -distance / error))


def equivalence_test(values: ArrayLike, *, margin: float) -> float:
    """p-value of "the mean lies within ±margin": the larger of two one-sided tests (TOST).

    values: [R], R >= 2. It is below 0.05 exactly when the 90 % t-interval lies inside ±margin.
    Source: Schuirmann 1987.
    """
    sample = _sample(values, fewest=2)
    return max(t_test(sample, than=-margin), t_test(-sample, than=-margin))


def mean_distance(values: ArrayLike) -> float:
    """The mean distance between two of the values, such as what seeds alone differ by: [R], R >= 2.

    >>> mean_distance([1.0, 2.0, 4.0])
    2.0
    """
    sample = _sample(values, fewest=2)
    return float(np.abs(sample[:, None] - sample).sum() / (len(sample) * (len(sample) - 1)))


def bootstrap_interval(
    values: ArrayLike,
    generator: torch.Generator,
    *,
    statistic: Callable[[Numbers], Numbers] = lambda samples: samples.mean(axis=1),
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of `statistic`: quantiles over resamples drawn with replacement.

    values: [R]; statistic: of samples [B, R], one number each, [B]. `generator` is the only source of randomness, so
    equal generators give equal intervals.
    Source: Efron 1979. Far too narrow below about ten values; use `t_interval` for replicates.
    """
    sample = _sample(values, fewest=1)
    draws = torch.randint(len(sample), (resamples, len(sample)), generator=generator).numpy()
    tail = (1.0 - _level(level)) / 2.0
    low, high = np.quantile(statistic(sample[draws]), [tail, 1.0 - tail])
    return Interval(estimate=float(statistic(sample[None])[0]), low=float(low), high=float(high), level=level)


def clopper_pearson(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Exact interval for a probability: quantiles of Beta(k, n-k+1) and Beta(k+1, n-k).

    Raises UsageError unless 0 <= successes <= trials and trials >= 1. Source: Clopper and Pearson 1934.
    """
    from scipy import special

    if not 0 <= successes <= trials or trials < 1:
        raise UsageError(f"{successes} successes of {trials} trials is impossible; need 0 <= successes <= trials")
    tail, failures = (1.0 - _level(level)) / 2.0, trials - successes
    low = float(special.betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, failures, 1.0 - tail)) if failures else 1.0
    return Interval(estimate=successes / trials, low=low, high=high, level=level)


def mcnemar(lost: int, won: int) -> float:
    """Two-sided exact p-value that as many examples are lost as won: twice the smaller binomial tail, at most 1.

    Source: McNemar 1947, in its exact form.

    >>> mcnemar(9, 1)
    0.021484375
    """
    total, fewer = lost + won, min(lost, won)
    if total > 1000:  # where sums of whole numbers take long
        from scipy import special

        return float(min(1.0, 2 * special.bdtr(fewer, total, 0.5)))
    tail = sum(math.comb(total, k) for k in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**total))


def count_test(successes: int, trials: int, *, probability: float) -> float:
    """One-sided p-value of "succeeds more often than `probability`": P(X >= successes), X binomial."""
    from scipy import stats

    return float(stats.binom.sf(successes - 1, trials, probability))


def median_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Exact interval for the median: the narrowest pair of order statistics x_(k), x_(n+1-k) that covers it as often.

    It covers with probability 1 - 2 P(X < k), X binomial (n, 1/2), whatever the distribution; that is the level given
    back, at least the one asked for. values: [R]. Raises UsageError where even the smallest and the largest value cover
    less often: below six values at 95 %. Source: Thompson 1936.

    >>> found = median_interval([5.0, 1.0, 4.0, 2.0, 3.0, 6.0])
    >>> (found.estimate, found.low, found.high, found.level)
    (3.5, 1.0, 6.0, 0.96875)
    """
    from scipy import stats

    sample = np.sort(_sample(values, fewest=1))
    count = len(sample)
    below = int(stats.binom.ppf((1.0 - _level(level)) / 2.0, count, 0.5))
    if 2.0 * stats.binom.cdf(below, count, 0.5) <= 1.0 - level + 1e-12:
        below += 1
    if below == 0:
        raise UsageError(f"{count} values have no {100 * level:g} % interval of the median; more are needed")
    covered = 1.0 - 2.0 * float(stats.binom.cdf(below - 1, count, 0.5))
    return Interval(
        estimate=float(np.median(sample)),
        low=float(sample[below - 1]),
        high=float(sample[count - below]),
        level=covered,
    )


def sign_test(values: ArrayLike, *, than: float = 0.0) -> float:
    """One-sided p-value of "the median is greater than `than`": P(X >= values above it), X binomial (n, 1/2).

    values: [R], R >= 1; a value equal to `than` counts against.
    """
    sample = _sample(values, fewest=1)
    return count_test(int((sample > than).sum()), len(sample), probability=0.5)


def partial_conjunction(p_values: Sequence[float], *, at_least: int) -> float:
    """p-value of "at least so many of m hypotheses hold": min(1, (m - u + 1) p_(u)), u = at_least, p ascending.

    p_values: m, each small where its hypothesis holds; they may depend on each other in any way. With u = m it is the
    largest p (intersection-union test), with u = 1 Bonferroni's. Raises UsageError unless 1 <= at_least <= m.
    Source: Benjamini and Heller 2008.

    >>> partial_conjunction([0.01, 0.04, 0.03], at_least=2)
    0.06
    """
    if not 1 <= at_least <= len(p_values):
        raise UsageError(f"at_least={at_least} of {len(p_values)} hypotheses; give 1 to that many")
    return min(1.0, (len(p_values) - at_least + 1) * sorted(p_values)[at_least - 1])


def number_holding(p_values: Sequence[float], *, level: float) -> int:
    """The largest number of hypotheses that hold at confidence `level`; 0 if not even one does."""
    possible = range(len(p_values), 0, -1)
    return next((u for u in possible if partial_conjunction(p_values, at_least=u) <= 1.0 - level), 0)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation of two lists of numbers [N], ties at their mean rank, in [-1, 1].

    Not a number where one of the lists does not vary.

    Raises UsageError for lists of different lengths or fewer than two numbers.
    """
    from scipy import stats

    left, right = _sample(first, fewest=2), _sample(second, fewest=2)
    if len(left) != len(right):
        raise UsageError(f"{len(left)} and {len(right)} numbers have no rank correlation; give pairs")
    if np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return float("nan")
    return float(stats.spearmanr(left, right).statistic)


def fisher(correlations: ArrayLike, *, ranked: int) -> Numbers:
    """Fisher's transform artanh(r); where ranks agree wholly, r counts as half a step of Spearman's below 1.

    correlations: [R] in [-1, 1]. ranked: how many things, N, each is over; the step next to 1 is 12 / (N^3 - N).
    Source: Fisher 1915.
    """
    limit, found = 1.0 - 6.0 / max(ranked**3 - ranked, 7), np.asarray(correlations, dtype=np.float64)
    if (np.abs(found) > 1.0 + 1e-9).any():
        raise UsageError(f"{found.tolist()} are no correlations, which lie in [-1, 1]; claim a mean by Direction")
    return np.asarray(np.arctanh(np.clip(found, -limit, limit)))


def correlation_interval(values: ArrayLike, *, ranked: int, level: float = 0.95) -> Interval:
    """Student's interval of the mean of Fisher's transform, transformed back: within [-1, 1].

    values: correlations [R], R >= 2. ranked: see `fisher`.
    """
    inside = t_interval(fisher(_sample(values, fewest=2), ranked=ranked), level=level)
    estimate, low, high = (math.tanh(end) for end in (inside.estimate, inside.low, inside.high))
    return Interval(estimate, low, high, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for a family of m: running maximum of (m - i) p_(i), at most 1, in the order given.

    Source: Holm 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _standard_error(sample: Numbers) -> float:
    return float(sample.std(ddof=1)) / math.sqrt(len(sample))


def _sample(values: ArrayLike, *, fewest: int) -> Numbers:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < fewest or not np.isfinite(sample).all():
        raise UsageError(f"values {sample.tolist()} must be a list of at least {fewest} finite numbers")
    return sample


def _level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise UsageError(f"level {level} is not between 0 and 1; write 0.95 for 95 %")
    return level
