"""Thresholds against the curve looked at on a fine grid, and what makes no curve."""

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.studies.thresholds import comes_back, first_crossing, threshold


def on_a_grid(densities, errors, limit):
    """The least of many densities before the drawn curve is above the limit for the first time."""
    places = np.linspace(np.log(densities[0]), np.log(densities[-1]), 200_001)
    curve = np.interp(-places, -np.log(densities), errors)
    return float(np.exp(places[np.flatnonzero(curve > limit)[0] - 1])) if (curve > limit).any() else densities[-1]


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_is_where_the_drawn_curve_first_leaves_the_limit(seed):
    draw = np.random.default_rng(seed)
    densities = np.sort(draw.uniform(0.01, 1, 8))[::-1]
    errors = draw.uniform(0, 10, 8)
    errors[0] = 1.0
    found = first_crossing(densities.tolist(), errors.tolist(), 4.0)
    assert found == pytest.approx(on_a_grid(densities, errors, 4.0), rel=1e-4)


def test_a_curve_that_never_suffers_ends_at_its_last_density():
    assert first_crossing([1.0, 0.5, 0.1], [2.0, 1.0, 1.5], 2.0) == 0.1


def test_a_single_network_is_no_curve():
    with pytest.raises(UsageError, match="1 densities and 1 errors are no curve"):
        first_crossing([1.0], [1.0], 4.0)


def test_a_curve_that_begins_beyond_the_limit_has_no_crossing():
    with pytest.raises(UsageError, match="the first error, 5, is beyond the limit 4"):
        first_crossing([1.0, 0.1], [5.0, 6.0], 4.0)


def values(dense, densities, errors):
    curve = zip(errors, densities, strict=True)
    return [{"error": e} for e in dense] + [r for e, d in curve for r in ({"error": e}, {"sparsity": 1 - d})]


def test_the_limit_is_the_spread_of_dense_networks_or_the_margin_if_that_is_more():
    densities, errors = [1.0, 0.1, 0.01], [0.02, 0.02, 0.06]
    spread = float(np.std([0.01, 0.02, 0.03], ddof=1))
    wide = threshold(values([0.01, 0.02, 0.03], densities, errors), replicates=3, margin=0.001)
    assert 1 - wide["threshold"] == pytest.approx(10 ** -(1 + spread / 0.04))
    steady = threshold(values([0.02] * 3, densities, errors), replicates=3, margin=0.02)
    assert 1 - steady["threshold"] == pytest.approx(10**-1.5)
    assert wide["reached"] == steady["reached"] == 1


def test_a_curve_within_its_limit_says_that_the_threshold_was_not_reached():
    found = threshold(values([0.1, 0.2], [1.0, 0.5], [0.1, 0.05]), replicates=2, margin=0.0)
    assert (found["threshold"], found["reached"]) == (0.5, 0)


def test_a_curve_that_comes_back_is_left_where_it_first_leaves_and_says_so():
    """Random pruning of MNIST with 20 % wrong labels: worse at 64 % of the weights, much better at 10.7 %."""
    densities, errors = [1.0, 0.64, 0.107, 0.0115], [0.1495, 0.174, 0.0856, 0.69]
    found = threshold(values([0.145, 0.154], densities, errors), replicates=2, margin=0.001)
    assert 0 < found["threshold"] < 0.36 and (found["reached"], found["returns"]) == (1, 1)
    assert comes_back(errors, 0.15) and not comes_back(errors[:2], 0.15) and not comes_back(errors, 1.0)


def test_networks_that_are_no_sparser_or_empty_tell_nothing():
    plain = values([0.1], [1.0, 0.5, 0.1], [0.1, 0.1, 0.3])
    more = values([0.1], [1.0, 0.5, 0.5, 0.1, 0.0], [0.1, 0.1, 0.9, 0.3, 0.0])
    assert threshold(plain, replicates=1, margin=0.1) == threshold(more, replicates=1, margin=0.1)
