"""Answers that are lost and won, against a slow count; groups know nothing of the networks that are compared."""

import numpy as np
import pytest

from prunescope.studies.flips import flips
from prunescope.studies.statistics import t_interval


def share(before, after, examples):
    lost = sum(before[i] == 1 and after[i] == 0 for i in examples)
    won = sum(before[i] == 0 and after[i] == 1 for i in examples)
    return 100 * lost / len(examples), 100 * won / len(examples)


def test_rows_agree_with_a_slow_count():
    random = np.random.default_rng(0)
    before, after = (random.random((2, 4, 60)) < 0.8).astype(float)
    table = {(row["examples"], row["change"]): row for row in flips(before, after)}
    assert len(table) == 6
    for group in {examples for examples, _ in table}:
        by_after, by_seed = [], []
        for k in range(4):
            rest = [before[j] for j in range(4) if j not in (k, (k - 1) % 4)]
            easy = [i for i in range(60) if all(network[i] for network in rest)]
            inside = {"a": range(60), "r": easy, "w": [i for i in range(60) if i not in easy]}[group[0]]
            by_after.append(share(before[k], after[k], inside))
            by_seed.append(share(before[k], before[k - 1], inside))
        for change, one, other in zip(("lost", "won"), np.transpose(by_after), np.transpose(by_seed), strict=True):
            more, row = t_interval(one - other), table[group, change]
            expected = [one.mean(), other.mean(), more.estimate, more.low, more.high]
            np.testing.assert_allclose([row[k] for k in ("pruning", "another seed", "more", "low", "high")], expected)


def test_with_two_networks_nobody_else_makes_groups():
    before = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert [row["examples"] for row in flips(before, before)] == ["all", "all"]


def test_an_untreated_network_flips_nothing_and_lost_minus_won_is_the_change_of_error():
    random = np.random.default_rng(1)
    before, after = (random.random((2, 3, 50)) < 0.7).astype(float)
    assert all(row["pruning"] == 0 for row in flips(before, before))
    lost, won = list(flips(before, after))[:2]
    assert lost["pruning"] - won["pruning"] == pytest.approx(100 * (before.mean() - after.mean()))
