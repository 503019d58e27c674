"""The cause is found where it is known by construction; `tools/planted.py` counts 100 of each."""

import sys
from pathlib import Path

import numpy as np
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
    assert planted.first_cause(planted.shares_of(make(0), tmp_path)) in causes


@pytest.mark.slow
def test_two_causes_at_once_are_both_told_from_nothing(tmp_path):
    shares = planted.shares_of(planted.undertrained_and_mostly_noise(0), tmp_path)
    for name in ("time", "choice"):
        assert t_interval(shares[name]).high < 0.0
    assert abs(t_interval(shares["disturbance"]).estimate) < abs(t_interval(shares["choice"]).estimate)


def test_what_is_counted_is_kept_and_not_made_again(tmp_path, monkeypatch, capsys):
    made = []

    def shares_of(study, store):
        made.append(study)
        return {part: np.array([-9.0, -9.1, -9.2]) * (part == "time") for part in planted.PARTS}

    monkeypatch.setattr(planted, "shares_of", shares_of)
    for _ in range(2):
        planted.main(2, ["undertrained"], tmp_path / "planted.csv")
    assert len(made) == 2
    planted.main(3, ["undertrained", "untouched"], tmp_path / "planted.csv")
    assert len(made) == 2 + 1 + 3
    said = capsys.readouterr().out
    assert "| undertrained | time | 3 of 3 [29.2, 100.0 %] |" in said
    assert "| untouched | nothing | 0 of 3 [0.0, 70.8 %] | 3 time |" in said


def test_the_stored_shares_are_those_of_whole_data_sets():
    counts = [len(values) for shares in planted.read(planted.TABLE).values() for values in shares.values()]
    assert set(counts) == {planted.REPLICATES}


def test_the_page_prints_what_is_counted(capsys):
    planted.main(0)
    page = (Path(planted.__file__).parents[1] / "docs" / "explain.md").read_text()
    for line in capsys.readouterr().out.splitlines():
        assert line in page
