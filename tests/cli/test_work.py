"""Several machines on one store: work, status."""

import json
from dataclasses import replace

from prunescope.runs.store import lease
from prunescope.runs.store.store import Store


def test_work_makes_what_a_report_needs_and_writes_none(command, study, store, tmp_path) -> None:
    worked = command("work", study, "--workers", 1)
    assert worked.exit_code == 0, worked.output
    assert not list(tmp_path.rglob("index.html"))
    assert command("report", study).exit_code == 0
    left = json.loads(command("status", study, "--json").output)["left"]
    assert all(counts["stored"] == counts["needed"] > 0 for counts in left.values())


def test_status_tells_the_living_from_the_gone(command, store, monkeypatch) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.1)
    here, away = Store(store), Store(store)
    away.pulse.holder = replace(away.pulse.holder, host="far", machine="another")
    held = [lease.acquire(here, "a" * 32, "LeNet, level 3"), lease.acquire(away, "b" * 32)]
    workers = json.loads(command("status", "--json").output)["workers"]
    assert [(one["host"] == "far", one["state"], one["on"]) for one in workers] == [
        (False, "works", ["LeNet, level 3"]),
        (True, "gone", ["bbbbbbbb"]),
    ]
    assert "LeNet, level 3" in command("status").output
    for one in held:
        one.release()
    assert "Nobody works on this store." in command("status").output
