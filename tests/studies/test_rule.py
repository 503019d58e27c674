"""The papers' own rules: a correlation counts by its p over runs, whatever its jackknife says; nothing else does."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from prunescope.studies import Claim, Direction, Equivalence, Near, Quantity, judge
from prunescope.studies.correlation import Points
from prunescope.studies.rule import CorrelationBelow5Percent

NINE = np.array([99.0, 98.9, 99.1, 93.0, 92.5, 93.4, 90.0, 91.1, 90.4])
"""Stability of nine runs: three arms, three seeds."""


@dataclass(frozen=True)
class Correlated(Quantity):
    points: object = None


def verdict(y, region=None):
    points = Points(NINE, np.array(y), tuple("aaabbbccc"), (0, 1, 2) * 3)
    quantity = Correlated("", "", (), lambda results: np.array([-0.8, -0.4, -0.5]), lambda results: points)
    return judge(Claim("r", "says", quantity, region or Direction("less")), {}, CorrelationBelow5Percent())


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([48.0, 49.0, 48.5, 50.0, 51.0, 49.5, 51.5, 52.0, 51.0], "reproduced"),
        ([52.0, 51.0, 51.5, 50.0, 49.0, 50.5, 48.5, 48.0, 49.0], "contradicted"),
        ([49.0, 50.5, 48.0, 50.0, 52.0, 47.0, 51.0, 52.0, 49.0], "inconclusive"),
    ],
)
def test_the_p_over_all_runs_decides(y, expected):
    r = stats.pearsonr(NINE, y)
    assert (r.pvalue < 0.05) == (expected != "inconclusive")
    assert verdict(y).paper == expected


def test_a_value_an_equivalence_and_a_mean_have_no_such_rule():
    y = [48.0, 49.0, 48.5, 50.0, 51.0, 49.5, 51.5, 52.0, 51.0]
    for region in (Near(-0.7, 0.3), Equivalence(0.3), Direction("less", than=-0.254)):
        assert verdict(y, region).paper == "no such rule"
    mean = Claim("m", "says", Quantity("", "", (), lambda results: np.array([1.0, 1.1, 0.9])), Direction("greater"))
    assert judge(mean, {}, CorrelationBelow5Percent()).paper == "no such rule"
