"""ls, show, verify and gc."""

import yaml

from prunescope.runs.store.store import Store


def test_ls_show_verify(command, study, store) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    ids = list(Store(store).run_ids())
    listed = command("runs", "ls")
    assert listed.exit_code == 0
    assert all(run[:12] in listed.output for run in ids)
    assert "LeNet" in listed.output
    assert "synthetic" in listed.output or "blobs" in listed.output

    last = next(run for run in ids if Store(store).manifest(run)["parents"])
    shown = command("runs", "show", last[:10])
    assert shown.exit_code == 0
    record = yaml.safe_load(shown.output)
    assert record["id"] == last
    assert record["recipe"] == Store(store).manifest(last)["recipe"]
    assert [parent["id"] for parent in record["lineage"]] == Store(store).manifest(last)["parents"]
    assert record["exec"]["device"] == "cpu"

    assert command("runs", "verify").exit_code == 0
    state = next((Store(store).root / Store(store).run_folder(last)).glob("state-*"))
    data = bytearray(state.read_bytes())
    data[-1] ^= 1
    state.write_bytes(data)
    checked = command("runs", "verify")
    assert checked.exit_code == 1
    assert str(state.parent) in checked.output
    assert "delete" in checked.output


def test_a_damaged_result_is_no_success(command, study, store) -> None:
    words = ("run", study, "-s", "levels=1", "-s", "replicates=1", "--workers", 1)
    command(*words)
    damaged = next(store.glob("readings/*/*"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    result = command("report", *words[1:-2])
    assert (
        result.exit_code == 2 and str(damaged) in result.output and "`prunescope run` makes them again" in result.output
    )
    assert command(*words).exit_code == 0 and damaged.exists()


def test_gc_is_a_dry_run_and_keeps_what_is_pinned(command, study, store) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    assert command("run", study, "-s", "lr=0.2", "--workers", 1).exit_code == 0
    first, second = Store(store).pins()
    assert "0 runs, 0 readings" in command("runs", "gc").output
    dry = command("runs", "gc", "--unpin", second)
    assert dry.exit_code == 0
    assert "6 runs" in dry.output
    assert "Nothing was removed" in dry.output
    assert len(list(Store(store).run_ids())) == 12
    assert set(Store(store).pins()) == {first, second}
    assert command("runs", "gc", "--unpin", second, "--yes").exit_code == 0
    assert len(list(Store(store).run_ids())) == 6
    assert set(Store(store).pins()) == {first}
    assert set(Store(store).run_ids()) <= set(Store(store).pins()[first])
    refused = command("runs", "gc", "--unpin", first, "--yes")
    assert refused.exit_code == 2
    assert "--unpinned" in refused.output
    assert len(list(Store(store).run_ids())) == 6
    unknown = command("runs", "gc", "--unpin", "nobody")
    assert unknown.exit_code == 2
    assert "nothing is pinned as 'nobody'" in unknown.output
