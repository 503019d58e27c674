"""The cause is found where it is known by construction; `tools/planted.py` counts 100 of each."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools"))

import planted

from prunescope.studies.statistics import t_interval

QUICK = ("untouched",)
ALL = {make.__name__: (make, causes) for make, causes in planted.CAUSES.items()}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ALL]
)
def test_the_first_cause_is_the_planted_one(name, tmp_path):
    make, causes = ALL[name]
    assert planted.found(make(0), tmp_path) in causes


@pytest.mark.slow
def test_two_causes_at_once_are_both_told_from_nothing(tmp_path):
    shares = planted.shares_of(planted.undertrained_and_mostly_noise(0), tmp_path)
    for name in ("time", "choice"):
        assert t_interval(shares[name]).high < 0.0
    assert abs(t_interval(shares["disturbance"]).estimate) < abs(t_interval(shares["choice"]).estimate)


@pytest.mark.slow
def test_what_is_counted_is_kept_and_not_made_again(tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(planted, "found", lambda study, store: made.append(study) or "time")
    for _ in range(2):
        planted.main(3, tmp_path / "planted.csv")
    assert len(made) == 3 * len(ALL)
    assert "undertrained: time first in 3 of 3 [29 %, 100 %]; {}" in capsys.readouterr().out
