"""Ctrl-C, SIGTERM and SIGHUP during a real run, and the same command again."""

import os
import signal
import time
from pathlib import Path

import pytest

from prunescope.runs.store.store import Store

SLOW = ("-s", "epochs=50", "-s", "examples=2048", "-s", "levels=0", "-s", "replicates=2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "number"),
    [(1, signal.SIGINT), (1, 15), (2, 2), (2, 1), (2, 15)],
)
def test_it_stops_and_the_same_command_goes_on(spawned, until, study, store: Path, workers: int, number: int) -> None:
    words = ("run", study, *SLOW, "--workers", workers)
    first = spawned(*words)
    until(lambda: any((store / "leases").glob("[!.]*")))
    time.sleep(0.5)  # into the first run
    os.killpg(first.pid, number)
    output, errors = first.communicate(timeout=60)
    assert first.returncode == 130, errors
    assert "Traceback" not in output + errors
    assert "the same command goes on" in errors
    assert not list((store / "leases").glob("[!.]*")) or workers > 1
    assert len(list(Store(store).run_ids())) < 2, "nothing was left to interrupt"
    if (
        workers == 1 or number == signal.SIGINT
    ):  # other signals end worker processes at once, with their last checkpoint
        assert list((store / "partial").glob("*")), "nothing of what was reached is stored"

    again = spawned(*words)
    output, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert len(list(Store(store).run_ids())) == 2
    assert "report:" in output
