import math

import numpy as np
import pytest
from scipy import stats

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.studies import statistics

SAMPLE = np.array([0.31, -0.12, 0.55, 0.08, 0.47])


def test_differs_compares_the_mean_with_one_sample_standard_deviation():
    # mean 2, sample std exactly 2, population std 1.63
    assert statistics.differs([0.0, 2.0, 4.0])
    assert not statistics.differs([-0.1, 1.9, 3.9])
    assert statistics.differs([0.0, -2.0, -4.0])


def test_equal_results_do_not_differ():
    assert not statistics.differs([0.0, 0.0, 0.0])
    assert statistics.differs([0.1, 0.1, 0.1])


@pytest.mark.parametrize("replicates", [2, 3, 5, 10])
def test_false_positive_rate_is_how_often_the_rule_fires_on_noise(replicates):
    draws = np.random.default_rng(1).normal(size=(40_000, replicates))
    fired = np.mean(np.abs(draws.mean(axis=1)) >= draws.std(axis=1, ddof=1))
    assert statistics.false_positive_rate(replicates) == pytest.approx(fired, abs=0.008)


def test_false_positive_rate_at_three_replicates_is_22_point_5_percent():
    assert statistics.false_positive_rate(3) == pytest.approx(0.2254, abs=5e-5)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_t_interval_is_the_paired_interval_of_scipy(level):
    other = np.array([1.0, 2.0, 0.5, 1.5, 3.0])
    expected = stats.ttest_rel(SAMPLE + other, other).confidence_interval(level)
    interval = statistics.t_interval((SAMPLE + other) - other, level=level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.estimate == pytest.approx(SAMPLE.mean())
    assert interval.level == level


@pytest.mark.parametrize("than", [0.0, 0.2, 1.0])
def test_t_test_is_the_one_sided_test_of_scipy(than):
    expected = stats.ttest_1samp(SAMPLE, than, alternative="greater").pvalue
    assert statistics.t_test(SAMPLE, than=than) == pytest.approx(expected)


@pytest.mark.parametrize(("than", "p"), [(0.0, 0.0), (0.25, 0.5), (1.0, 1.0)])
def test_t_test_without_spread_is_certain(than, p):
    assert statistics.t_test([0.25, 0.25, 0.25], than=than) == p


def test_equivalence_test_is_the_worse_of_two_one_sided_tests():
    below = stats.ttest_1samp(SAMPLE, 0.6, alternative="less").pvalue
    above = stats.ttest_1samp(SAMPLE, -0.6, alternative="greater").pvalue
    assert statistics.equivalence_test(SAMPLE, margin=0.6) == pytest.approx(max(below, above))


@pytest.mark.parametrize("margin", [0.3, 0.45, 0.5, 0.7, 1.0])
def test_equivalence_at_five_percent_is_the_ninety_percent_interval_inside_the_margin(margin):
    interval = statistics.t_interval(SAMPLE, level=0.90)
    inside = -margin < interval.low and interval.high < margin
    assert (statistics.equivalence_test(SAMPLE, margin=margin) < 0.05) == inside


def test_bootstrap_interval_depends_on_its_generator_only():
    first = statistics.bootstrap_interval(SAMPLE, stream(0, "bootstrap"))
    again = statistics.bootstrap_interval(SAMPLE, stream(0, "bootstrap"))
    other = statistics.bootstrap_interval(SAMPLE, stream(1, "bootstrap"))
    assert first == again
    assert first != other


def test_bootstrap_interval_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2.0, size=60)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=2).confidence_interval
    interval = statistics.bootstrap_interval(values, stream(0, "b"), resamples=8000)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.03)


def test_bootstrap_interval_of_another_statistic():
    values = np.arange(101.0)
    interval = statistics.bootstrap_interval(
        values, stream(0, "b"), statistic=lambda x: np.median(x, axis=1), resamples=500, level=0.8
    )
    assert interval.estimate == 50.0
    assert 35.0 < interval.low < 50.0 < interval.high < 65.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 3), (3, 3), (11, 13), (1, 2)])
def test_clopper_pearson_is_the_exact_interval_of_scipy(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    interval = statistics.clopper_pearson(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_count_test_is_the_binomial_test_of_scipy():
    expected = stats.binomtest(11, 13, 0.5, alternative="greater").pvalue
    assert statistics.count_test(11, 13, probability=0.5) == pytest.approx(expected)


def test_holm_rejects_what_the_step_down_procedure_rejects():
    draws = np.random.default_rng(3)
    for _ in range(50):
        p_values = draws.uniform(0, 0.1, size=6).tolist()
        rejected = set()
        for step, index in enumerate(sorted(range(6), key=p_values.__getitem__)):
            if p_values[index] > 0.05 / (6 - step):
                break
            rejected.add(index)
        adjusted = statistics.holm(p_values)
        assert {index for index in range(6) if adjusted[index] <= 0.05} == rejected


def test_holm_of_nothing_is_nothing_and_never_exceeds_one():
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: statistics.differs([1.0]),
        lambda: statistics.false_positive_rate(1),
        lambda: statistics.t_interval([1.0, math.nan]),
        lambda: statistics.t_interval([[1.0, 2.0]]),
        lambda: statistics.t_interval([1.0, 2.0], level=95.0),
        lambda: statistics.clopper_pearson(4, 3),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(UsageError):
        call()


@pytest.mark.parametrize(("count", "place"), [(6, 1), (8, 1), (9, 2), (10, 2), (11, 2), (12, 3), (20, 6)])
def test_the_interval_of_the_median_is_the_narrowest_that_covers_it(count, place):
    """Places as in tables of the sign test at 95 %."""
    found = statistics.median_interval(np.arange(1.0, count + 1)[::-1])
    assert (found.low, found.high) == (place, count + 1 - place) and found.level >= 0.95


@pytest.mark.slow
def test_the_interval_of_the_median_covers_as_often_as_it_says():
    draws = np.random.default_rng(2).exponential(size=(4000, 10))
    found = [statistics.median_interval(draw) for draw in draws]
    covered = np.mean([one.low <= np.log(2) <= one.high for one in found])
    assert covered == pytest.approx(found[0].level, abs=0.01)


def test_too_few_values_have_no_interval_of_the_median():
    with pytest.raises(UsageError, match="5 values have no 95 % interval"):
        statistics.median_interval([1.0] * 5)


def test_the_sign_test_counts_what_is_above():
    assert statistics.sign_test([1.0, 2.0, 3.0, -1.0]) == pytest.approx(5 / 16)
    assert statistics.sign_test([0.0, 2.0]) == pytest.approx(3 / 4)  # on the number counts against


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (3, 3), (9, 1), (1, 9), (40, 61), (2000, 1000)])
def test_mcnemar_is_the_binomial_test_of_fair_coins(lost, won):
    expected = stats.binomtest(lost, lost + won, 0.5).pvalue if lost + won else 1.0
    assert statistics.mcnemar(lost, won) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("lost", "won"), [(480, 520), (520, 490), (700, 620), (1500, 1500)])
def test_mcnemars_test_of_many_examples_is_the_exact_one_still(lost, won):
    total = lost + won
    exact = min(1, 2 * sum(math.comb(total, k) for k in range(min(lost, won) + 1)) / 2**total)
    assert statistics.mcnemar(lost, won) == pytest.approx(exact, rel=1e-9)
