"""A process may end at any moment: what is visible is whole, and the same command goes on to the same bits."""

import pytest


@pytest.mark.parametrize("apart", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_before_a_change_of_a_file(victim, tmp_path, apart):
    told = victim("crash", tmp_path, apart)
    assert told["changes"] > 40
    assert told["last"] == 0
    assert told["equal"]


@pytest.mark.parametrize("fewest", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_kills_at_random_times(victim, tmp_path, fewest):
    told = victim("kill", tmp_path, fewest)
    assert told["kills"] >= fewest
    assert told["files"] > 12
    assert told["equal"]


@pytest.mark.slow
def test_kills_of_a_process_with_workers(victim, tmp_path):
    told = victim("kill_workers", tmp_path)
    assert 0 < told["before"] < told["files"]
    assert told["equal"]


@pytest.mark.slow
def test_kills_of_runs_that_train_together(victim, tmp_path):
    told = victim("kill_pack", tmp_path)
    assert told["kills"] > 2
    assert told["close"]
