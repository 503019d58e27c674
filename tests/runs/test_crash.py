"""A process may end at any moment: what is visible is whole, and the same command goes on to the same bits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

VICTIM = Path(__file__).with_name("victim.py")


def outcome(what, folder, *numbers):
    command = [sys.executable, str(VICTIM), what, str(folder), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("apart", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_before_a_change_of_a_file(tmp_path, apart):
    told = outcome("crash", tmp_path, apart)
    assert told["changes"] > 40
    assert told["last"] == 0
    assert told["equal"]


@pytest.mark.parametrize("fewest", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_kills_at_random_times(tmp_path, fewest):
    told = outcome("kill", tmp_path, fewest)
    assert told["kills"] >= fewest
    assert told["files"] > 12
    assert told["equal"]


@pytest.mark.slow
def test_kills_of_a_process_with_workers(tmp_path):
    told = outcome("kill_workers", tmp_path)
    assert 0 < told["before"] < told["files"]
    assert told["equal"]


@pytest.mark.slow
def test_kills_of_runs_that_train_together(tmp_path):
    told = outcome("kill_pack", tmp_path)
    assert told["kills"] > 2
    assert told["close"]
