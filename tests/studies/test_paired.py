"""Statistics over examples, against closed forms, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.studies import paired

RNG = np.random.default_rng(0)
DRAW = torch.Generator()


def flags(*groups):
    return np.stack(groups, axis=1)


def test_one_group_is_the_interval_of_the_mean_with_one_example_lost_and_one_won_more():
    change = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 89)
    family = paired.simultaneous(change, np.ones((100, 1), bool), DRAW)
    padded = np.append(change, [1.0, -1.0])
    half = stats.norm.ppf(0.975) * padded.std() / math.sqrt(102)
    assert (family.estimate[0], family.low[0]) == (pytest.approx(0.07), pytest.approx(0.07 - half))
    assert family.worst.high == pytest.approx(0.07 + half)


def test_a_group_in_which_nothing_changed_has_an_interval_of_some_length():
    family = paired.simultaneous(np.zeros(40), flags(np.arange(40) < 10, np.arange(40) >= 10), stream(0, "nothing"))
    assert (family.low < 0).all() and (family.high > 0).all()
    assert family.high[0] > family.high[1]


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 10])
def test_joint_intervals_hold_all_true_means_about_as_often_as_they_say(groups):
    rates = RNG.uniform(0.02, 0.3, groups)
    covered = 0
    for number in range(300):
        code = np.arange(600) % groups
        change = (RNG.uniform(size=600) < rates[code]) * 1.0 - (RNG.uniform(size=600) < 0.1)
        member = np.stack([code == k for k in range(groups)], axis=1)
        family = paired.simultaneous(change, member, stream(number, "coverage"))
        covered += bool(((family.low <= rates - 0.1) & (rates - 0.1 <= family.high)).all())
    assert 0.92 <= covered / 300 <= 0.995


def test_overlapping_groups_cost_less_than_as_many_that_do_not_overlap():
    change = RNG.normal(size=400)
    same = np.ones((400, 8), bool)
    apart = np.stack([np.arange(400) % 8 == k for k in range(8)], axis=1)
    one, many = (paired.simultaneous(change, m, stream(0, "overlap"), bounded=False) for m in (same, apart))
    z = (one.high[0] - one.estimate[0]) / (change.std() / 20)
    assert z == pytest.approx(1.96, abs=0.12)
    spread = np.array([change[m].std() / math.sqrt(50) for m in apart.T])
    assert ((many.high - many.estimate) / spread).mean() == pytest.approx(
        stats.norm.ppf((1 + 0.95 ** (1 / 8)) / 2), abs=0.15
    )


def enumerated(wrong, dense):
    """P(as many examples or more are wrong for the network) over all ways to name the networks on each example."""
    totals = (dense.sum(axis=0) + wrong).tolist()
    count, weight = len(dense) + 1, {0: 1.0}
    for total in totals:
        new: dict[int, float] = {}
        for number, chance in weight.items():
            new[number] = new.get(number, 0.0) + chance * (1 - total / count)
            new[number + 1] = new.get(number + 1, 0.0) + chance * total / count
        weight = new
    return sum(chance for number, chance in weight.items() if number >= wrong.sum())


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_beyond_seeds_is_the_exact_permutation_test(lost):
    dense = np.zeros((3, 60), bool)
    dense[0, :2] = dense[1, 1:4] = dense[2, 10:12] = True
    wrong = np.zeros(60, bool)
    wrong[20 : 20 + lost] = wrong[1] = True
    everything = np.ones((60, 1), bool)
    floor = paired.beyond_seeds(wrong, dense, everything, np.zeros(1, int), stream(0, "exact"))
    assert floor.dispersion[0] == 1.0
    assert floor.p[0] == pytest.approx(enumerated(wrong, dense), abs=0.025)
    assert floor.excess.estimate[0] == pytest.approx((wrong.sum() - dense.sum() / 3) / 60)


def test_the_dispersion_is_cochrans_q_over_its_freedom_moderated_by_that_of_the_first_family():
    dense = RNG.uniform(size=(5, 200)) < RNG.uniform(0, 1, 200)
    dense[4] |= RNG.uniform(size=200) < 0.3
    halves = np.arange(200) < 100
    member = flags(halves, ~halves, np.arange(200) % 3 == 0)

    def q_and_expected(rows):
        part = dense[:, rows]
        k, over_networks, over_examples = 5, part.sum(axis=0), part.sum(axis=1)
        below = k * over_networks.sum() - (over_networks**2).sum()
        return (k - 1) * (k * (over_examples**2).sum() - over_examples.sum() ** 2) / below, below

    (a, a_weight), (b, b_weight), (c, _) = map(q_and_expected, member.T)
    usual = (a * a_weight + b * b_weight) / (a_weight + b_weight) / 4
    expected = [max(1, (4 * q / 4 + 8 * usual) / 12) for q in (a, b, c)]
    phi, freedom = paired.dispersions(dense, member, np.array([0, 0, 1]))
    assert freedom == 12 and phi.tolist() == pytest.approx(expected)
    assert max(expected) > 1


@pytest.mark.slow
def test_networks_whose_seeds_change_a_class_together_raise_fewer_alarms_than_mcnemar():
    code = np.arange(1000) % 10
    classes = np.stack([code == k for k in range(10)], axis=1)
    ours = theirs = 0
    for number in range(150):
        rng = np.random.default_rng(number)
        ease = rng.normal(1.6, 1.0, 1000)
        networks = np.stack([ease + rng.normal(0, 0.25, 10)[code] + rng.normal(0, 0.2, 1000) < 0 for _ in range(5)])
        wrong, dense = networks[0], networks[1:]
        floor = paired.beyond_seeds(wrong, dense, classes, np.zeros(10, int), stream(number, "alarms"))
        ours += (floor.excess.low > 0).any()
        p = [
            stats.binomtest(int((wrong & ~dense[0])[m].sum()), max(1, int((wrong ^ dense[0])[m].sum()))).pvalue
            for m in classes.T
        ]
        theirs += min(p) < 0.05 / 10
    assert ours <= 0.06 * 150 and theirs > 0.10 * 150


def test_halves_give_the_interval_of_a_mean():
    x = RNG.normal(size=500)
    interval = paired.by_halves(lambda rows: float(x[rows].mean()), 500, stream(0, "halves"))
    half = 1.96 * x.std() / math.sqrt(500)
    assert interval.estimate == pytest.approx(x.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.12)


def test_the_smallest_visible_change_is_seen_four_times_of_five():
    change = np.array([1.0] * 30 + [-1.0] * 30 + [0.0] * 940)
    visible = paired.smallest_visible(change)
    seen = 0
    for number in range(400):
        drawn = RNG.choice([1.0, -1.0, 0.0], p=[0.03 + visible / 2, 0.03 - visible / 2, 0.94], size=1000)
        seen += paired.simultaneous(drawn, np.ones((1000, 1), bool), stream(number, "seen")).low[0] > 0
    assert seen / 400 == pytest.approx(0.8, abs=0.06)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="leave it out"):
        paired.simultaneous(np.zeros(3), np.zeros((3, 2), bool), DRAW)
    with pytest.raises(UsageError, match="give a twin"):
        paired.beyond_seeds(np.zeros(3, bool), np.zeros((1, 3), bool), np.ones((3, 1), bool), np.zeros(1, int), DRAW)


def test_enumeration_itself_is_mcnemar_for_one_dense_network():
    for lost, won in itertools.product(range(5), range(5)):
        wrong, dense = np.zeros(12, bool), np.zeros((1, 12), bool)
        wrong[:lost] = dense[0, lost : lost + won] = True
        expected = stats.binom.sf(lost - 1, lost + won, 0.5)
        assert enumerated(wrong, dense) == pytest.approx(expected)
