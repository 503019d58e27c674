"""Shares add up, agree with a slow count of paths, go around what failed, and have intervals that hold."""

import math

import numpy as np
import pytest

from prunescope.base.errors import UsageError
from prunescope.explain import shares
from prunescope.explain.factors import FACTORS
from prunescope.studies import statistics

NEEDS = {factor.name: factor.needs for factor in FACTORS}
ORDERS = shares.orders(NEEDS)
CELLS = shares.cells(ORDERS)
PRUNED = frozenset(NEEDS)


def random_values(seed, replicates=3):
    random = np.random.default_rng(seed)
    return {cell: random.normal(size=replicates) for cell in CELLS}


def possible(cell):
    return "choice" not in cell or cell & {"size", "disturbance"}


def paths(start, end):
    """How many ways lead from one cell to another, one factor at a time."""
    if start == end:
        return 1
    return sum(paths(start | {name}, end) for name in end - start if possible(start | {name}))


def slow_share(values, name):
    """The mean over paths, by how many of them pass each step that gives this factor."""
    total = 0.0
    for cell in values:
        after = cell | {name}
        if name not in cell and after in values:
            total = total + paths(frozenset(), cell) * paths(after, PRUNED) * (values[after] - values[cell])
    return total / paths(frozenset(), PRUNED)


def test_the_design_has_every_possible_cell():
    assert len(ORDERS) == 16
    assert len(CELLS) == 14
    assert all(possible(cell) for cell in CELLS)
    assert CELLS[0] == frozenset() and CELLS[-1] == PRUNED


def test_shares_agree_with_a_count_of_paths():
    values = random_values(0)
    for name, share in shares.shares(values, ORDERS).items():
        np.testing.assert_allclose(share, slow_share(values, name), rtol=1e-12)


def test_without_needs_shares_are_shapley_values():
    names = ("a", "b", "c")
    orders = shares.orders(dict.fromkeys(names, frozenset()))
    random = np.random.default_rng(1)
    values = {cell: random.normal(size=2) for cell in shares.cells(orders)}
    for name in names:
        rest = [cell for cell in values if name not in cell]
        weights = [math.factorial(len(cell)) * math.factorial(2 - len(cell)) / 6 for cell in rest]
        expected = sum(w * (values[cell | {name}] - values[cell]) for w, cell in zip(weights, rest, strict=True))
        np.testing.assert_allclose(shares.shares(values, orders)[name], expected, rtol=1e-12)


@pytest.mark.parametrize("chosen", [ORDERS, [ORDERS[0], ORDERS[-1]]], ids=["all", "two"])
def test_shares_add_up_to_the_whole_effect_in_every_replicate(chosen):
    values = random_values(2)
    total = sum(shares.shares(values, chosen).values())
    np.testing.assert_allclose(total, values[PRUNED] - values[frozenset()], rtol=1e-12)


def test_two_orders_are_a_fraction_in_which_time_comes_first_and_last():
    first, second = ORDERS[0], ORDERS[-1]
    assert first[0] == "time" and second[-1] == "time"
    assert len(shares.cells((first, second))) < len(CELLS)


def test_a_failed_network_is_gone_around_and_the_shares_still_add_up():
    values = random_values(3)
    values[frozenset({"time", "size"})] = np.array([1.0, np.nan, 1.0])
    parts = shares.shares(values, ORDERS)
    np.testing.assert_allclose(sum(parts.values()), values[PRUNED] - values[frozenset()], rtol=1e-12)


def test_where_every_way_leads_through_a_failed_network_only_its_neighbours_are_not_known():
    order = ("time", "size", "disturbance", "choice")
    values = random_values(4)
    values[frozenset({"time", "size"})] = np.full(3, np.nan)
    parts = shares.shares(values, [order])
    assert {name for name, share in parts.items() if np.isnan(share).all()} == {"size", "disturbance"}
    np.testing.assert_allclose(parts["time"], values[frozenset({"time"})] - values[frozenset()])


def test_factors_that_need_each_other_are_refused():
    with pytest.raises(UsageError, match="in a circle"):
        shares.orders({"a": frozenset({"b"}), "b": frozenset({"a"})})


# -- intervals: a model of replicates, in which a seed is good or bad in all cells and every network has its own luck


def simulated_studies(count, replicates, seed):
    """Shares of many studies [count, replicates, factors], and the true ones: errors are counts of 1,000 test examples.

    Each replicate has an error rate of its own; cells differ by known effects, and by how much networks scatter.
    """
    random = np.random.default_rng(seed)
    truth = {cell: 0.1 - 0.02 * ("time" in cell) - 0.01 * ("size" in cell and "time" in cell) for cell in CELLS}
    common = random.normal(0.0, 0.01, size=(count, replicates))
    values = {}
    for place, cell in enumerate(CELLS):
        rates = truth[cell] + common + random.normal(0.0, 0.004 + 0.001 * place, size=(count, replicates))
        values[cell] = random.binomial(1000, np.clip(rates, 0.0, 1.0)) / 1000
    names = ORDERS[0]
    flat = shares.shares({cell: value.ravel() for cell, value in values.items()}, ORDERS)
    true = shares.shares({cell: np.array([value]) for cell, value in truth.items()}, ORDERS)
    found = np.stack([flat[name].reshape(count, replicates) for name in names], axis=2)
    return found, np.array([true[name][0] for name in names])


def coverage(count, replicates):
    found, true = simulated_studies(count, replicates, seed=replicates)
    inside = np.zeros(len(true))
    for study in found:
        intervals = [statistics.t_interval(values) for values in study.T]
        inside += [part.low <= t <= part.high for part, t in zip(intervals, true, strict=True)]
    return inside / count


@pytest.mark.parametrize("replicates", [3, 10])
def test_intervals_of_shares_cover_the_planted_share(replicates):
    # Binomial(1000, 0.95) has a standard deviation of 0.7 %: 3 % is four of them.
    assert np.abs(coverage(1000, replicates) - 0.95).max() < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [3, 5, 10])
def test_intervals_of_shares_cover_the_planted_share_in_93_to_97_percent_of_10000_studies(replicates):
    covered = coverage(10_000, replicates)
    assert (covered >= 0.93).all() and (covered <= 0.97).all()
