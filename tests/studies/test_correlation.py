"""Correlations against scipy, loops and normal equations; what resampling and leaving out really does."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.studies import correlation
from prunescope.studies.correlation import Correlation, Points


def points(arms=4, seeds=5, *, between=1.0, within=0.0, noise=0.3, draw=0):
    """Points whose arms differ by `between` and whose runs move together by `within`."""
    random = np.random.default_rng(draw)
    x, y, arm, seed = [], [], [], []
    for a in range(arms):
        for s in range(seeds):
            own = random.normal()
            x.append(a + own)
            y.append(between * a + within * own + noise * random.normal())
            arm.append(f"arm {a}")
            seed.append(s)
    return Points(np.array(x), np.array(y), tuple(arm), tuple(seed))


@pytest.mark.parametrize("draw", range(4))
def test_pearson_and_kendall_are_scipys(draw):
    some = points(draw=draw, within=draw - 1.0)
    r, tau = correlation.pearson(some), correlation.kendall(some)
    expected, ranked = stats.pearsonr(some.x, some.y), stats.kendalltau(some.x, some.y)
    assert (r.estimate, r.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert (tau.estimate, tau.p) == pytest.approx((ranked.statistic, ranked.pvalue), rel=1e-12)
    assert r.n == tau.n == 20


SHORT = {
    correlation.r: correlation.pearson,
    correlation.tau: correlation.kendall,
    correlation.r_within: correlation.within_arms,
    correlation.r_partial: correlation.partial,
}


def repeated(some, times):
    """The points, each as often as `times` says."""
    rows = np.repeat(np.arange(len(some)), times)
    names, seeds = (tuple(np.array(labels)[rows].tolist()) for labels in (some.arm, some.seed))
    return Points(some.x[rows], some.y[rows], names, seeds, tuple(part[rows] for part in some.given))


@pytest.mark.parametrize(("short", "long"), SHORT.items(), ids=lambda of: of.__name__)
def test_short_forms_for_resampling_say_the_same_of_points_that_are_repeated(short, long):
    random = np.random.default_rng(1)
    for draw in range(4):
        some = points(draw=draw, within=draw - 1.0)
        some = replace(some, given=(random.normal(size=20) + some.x,))
        weights = random.poisson(1.0, size=(3, 20))
        weights[0, :5] = 0  # an arm that was not drawn
        expected = [long(repeated(some, times)).estimate for times in weights]
        assert short(some, weights.astype(float)) == pytest.approx(expected, rel=1e-9)
    flat = Points(np.full(6, 100.0), np.arange(6.0), ("a", "b") * 3, tuple(range(6)))
    assert np.isnan(short(flat, np.ones((2, 6)))).all()


@pytest.mark.parametrize(("n", "r", "low", "high"), [(30, -0.73, -0.86, -0.50), (30, -0.43, -0.68, -0.08)])
def test_fisher_interval_of_the_published_correlations(n, r, low, high):
    found = correlation.fisher_interval(Correlation(r, 0.0, n))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.005)
    theirs = stats.pearsonr(*_with_correlation(r, n)).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-6)


def _with_correlation(r, n):
    random = np.random.default_rng(0)
    x, e = random.normal(size=(2, n))
    x = (x - x.mean()) / np.linalg.norm(x - x.mean())
    e = e - e.mean() - (e @ x) * x
    return x, r * x + math.sqrt(1 - r**2) * e / np.linalg.norm(e)


@pytest.mark.parametrize(("r", "p"), [(-0.73, 4.4e-6), (-0.43, 0.015)])
def test_the_published_p_values_are_those_of_thirty_points(r, p):
    x, y = _with_correlation(r, 30)
    found = correlation.pearson(Points(x, y, ("a",) * 30, tuple(range(30))))
    assert found.estimate == pytest.approx(r) and found.p == pytest.approx(p, rel=0.2)


@pytest.mark.parametrize("columns", [1, 2])
def test_partial_correlation_is_that_of_residuals_from_normal_equations(columns):
    some, random = points(within=0.7), np.random.default_rng(1)
    given = random.normal(size=(20, columns)) + some.x[:, None]
    some = replace(some, given=tuple(given.T))
    basis = np.column_stack([np.ones(20), given])
    rests = [v - basis @ np.linalg.solve(basis.T @ basis, basis.T @ v) for v in (some.x, some.y)]
    found = correlation.partial(some)
    r = float(np.corrcoef(*rests)[0, 1])
    freedom = 20 - 2 - columns
    p = 2 * stats.t.sf(abs(r) * math.sqrt(freedom / (1 - r * r)), freedom)
    assert (found.estimate, found.p) == pytest.approx((r, p), rel=1e-9)


def test_a_mediator_that_carries_everything_leaves_nothing():
    random = np.random.default_rng(2)
    x = random.normal(size=400)
    flat = x + 0.5 * random.normal(size=400)
    y = flat + 0.5 * random.normal(size=400)
    some = Points(x, y, ("a",) * 400, tuple(range(400)), (flat,))
    assert correlation.pearson(some).estimate > 0.7
    assert abs(correlation.partial(some).estimate) < 0.1
    found = correlation.bootstrap(some, correlation.r_partial, stream(0, "test"), unit="run", resamples=100)
    assert found.low < 0 < found.high and found.high - found.low < 0.4


def test_between_and_within_arms_can_disagree():
    some = points(arms=6, seeds=8, between=2.0, within=-3.0, noise=0.1)
    assert correlation.between_arms(some).estimate > 0.5 and correlation.between_arms(some).n == 6
    within = correlation.within_arms(some)
    deviations = [
        np.concatenate([v[i : i + 8] - v[i : i + 8].mean() for i in range(0, 48, 8)]) for v in (some.x, some.y)
    ]
    r = float(np.corrcoef(*deviations)[0, 1])
    freedom = 48 - 6 - 1
    p = 2 * stats.t.sf(abs(r) * math.sqrt(freedom / (1 - r * r)), freedom)
    assert (within.estimate, within.p) == pytest.approx((r, p), rel=1e-6) and r < -0.9


def test_resampling_whole_arms_is_wider_where_arms_make_the_correlation():
    """All of this correlation is between four arms: 40 runs say little more than 4 points do."""
    some = points(arms=4, seeds=10, between=1.0, noise=0.5)

    def width(unit):
        interval = correlation.bootstrap(some, correlation.r, stream(0, "test"), unit=unit, resamples=400)
        assert interval.estimate == pytest.approx(_r(some)) and interval.low < interval.estimate < interval.high
        return interval.high - interval.low

    assert width("arm and seed") > 1.3 * width("run")
    assert width("seed") < width("arm")


def test_a_seed_is_drawn_in_every_arm_or_in_none():
    def check(_, weights):
        times = weights.reshape(-1, 3, 6)
        arms, seeds = times.sum(2) / 6, times.sum(1) / 3
        assert (times == arms[:, :, None] * seeds[:, None]).all() and (times.sum((1, 2)) == 18).all()
        return np.zeros(len(weights))

    correlation.bootstrap(points(arms=3, seeds=6), check, stream(0, "test"), resamples=20)


def _r(some):
    return correlation.pearson(some).estimate


def test_bootstrap_agrees_with_a_plain_loop_and_repeats_itself():
    some, random = points(), np.random.default_rng(5)
    rows = random.integers(20, size=(2000, 20))
    low, high = np.quantile([np.corrcoef(some.x[drawn], some.y[drawn])[0, 1] for drawn in rows], [0.025, 0.975])
    found = correlation.bootstrap(some, correlation.r, stream(0, "test"), unit="run")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)
    assert found == correlation.bootstrap(some, correlation.r, stream(0, "test"), unit="run")


def test_pseudo_values_of_a_mean_are_the_seeds_own_means():
    some = points()
    found = correlation.pseudo_values(some, lambda p, weights: weights @ p.y / weights.sum(1))
    own = [some.y[np.array(some.seed) == seed].mean() for seed in range(5)]
    assert found == pytest.approx(own, rel=1e-9)


def test_pseudo_values_of_a_correlation_leave_out_a_seed_in_every_arm():
    some = points(within=1.0)
    left = [_r(repeated(some, np.array(some.seed) != seed)) for seed in range(5)]
    expected = [5 * _r(some) - 4 * value for value in left]
    assert correlation.pseudo_values(some, correlation.r) == pytest.approx(expected)
    with pytest.raises(UsageError, match="at least 2 replicates"):
        correlation.pseudo_values(points(seeds=1), correlation.r)


@pytest.mark.parametrize("of", [correlation.pearson, correlation.kendall, correlation.between_arms])
def test_no_spread_is_no_correlation(of):
    flat = Points(np.full(6, 100.0), np.arange(6.0), ("a", "b") * 3, tuple(range(6)))
    assert math.isnan(of(flat).estimate)
    same = points(arms=2, seeds=1)
    assert math.isnan(correlation.pearson(same).p)


def test_points_without_an_arm_are_refused():
    with pytest.raises(UsageError, match="an arm and a seed each"):
        Points(np.zeros(2), np.zeros(2), ("a",), (0, 1))
