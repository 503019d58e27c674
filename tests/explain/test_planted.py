"""The cause is found where it is known by construction; `planted.py` explains 100 data sets of each."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import planted

from prunescope.studies.statistics import t_interval

QUICK = ("undertrained", "too_small", "mostly_noise", "untouched")
ALL = {make.__name__: (make, cause) for make, cause in planted.CAUSES.items()}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ALL]
)
def test_the_first_cause_is_the_planted_one(name, tmp_path):
    make, cause = ALL[name]
    assert planted.found(make(0), tmp_path) == cause


@pytest.mark.slow
def test_two_causes_at_once_are_both_told_from_nothing(tmp_path):
    shares = planted.shares_of(planted.undertrained_and_mostly_noise(0), tmp_path)
    for name in ("time", "choice"):
        assert t_interval(shares[name]).high < 0.0
    assert abs(t_interval(shares["disturbance"]).estimate) < abs(t_interval(shares["choice"]).estimate)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_in_95_of_100_data_sets(name, tmp_path):
    """Hours on two cores: `python -m pytest -m slow tests/explain/test_planted.py -k 95_of_100`."""
    make, cause = ALL[name]
    assert sum(planted.found(make(seed), tmp_path / str(seed)) == cause for seed in range(100)) >= 95
