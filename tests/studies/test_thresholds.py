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


def curve(densities, errors):
    return [(1 - density, error) for density, error in zip(densities, errors, strict=True)]


def test_the_limit_is_the_spread_of_dense_networks_or_the_margin_if_that_is_more():
    densities, errors = [1.0, 0.1, 0.01], [0.02, 0.02, 0.06]
    spread = float(np.std([0.01, 0.02, 0.03], ddof=1))
    place, reached, _ = threshold([0.01, 0.02, 0.03], curve(densities, errors), margin=0.001)
    assert 1 - place == pytest.approx(10 ** -(1 + spread / 0.04)) and reached
    place, reached, _ = threshold([0.02] * 3, curve(densities, errors), margin=0.02)
    assert 1 - place == pytest.approx(10**-1.5) and reached


def test_a_curve_within_its_limit_says_that_the_threshold_was_not_reached():
    assert threshold([0.1, 0.2], curve([1.0, 0.5], [0.1, 0.05]), margin=0.0) == (0.5, False, False)


def test_a_curve_that_comes_back_is_left_where_it_first_leaves_and_says_so():
    """Random pruning of MNIST with 20 % wrong labels: worse at 64 % of the weights, much better at 10.7 %."""
    densities, errors = [1.0, 0.64, 0.107, 0.0115], [0.1495, 0.174, 0.0856, 0.69]
    place, *suffers_and_recovers = threshold([0.145, 0.154], curve(densities, errors), margin=0.001)
    assert 0 < place < 0.36 and suffers_and_recovers == [True, True]
    assert comes_back(errors, 0.15) and not comes_back(errors[:2], 0.15) and not comes_back(errors, 1.0)


def test_networks_that_are_no_sparser_or_empty_tell_nothing():
    plain = curve([1.0, 0.5, 0.1], [0.1, 0.1, 0.3])
    more = curve([1.0, 0.5, 0.5, 0.1, 0.0], [0.1, 0.1, 0.9, 0.3, 0.0])
    assert threshold([0.1], plain, margin=0.1) == threshold([0.1], more, margin=0.1)
