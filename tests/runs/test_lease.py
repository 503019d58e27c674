import os
import socket
import subprocess
import threading
import time

import pytest

from prunescope.base.errors import StoreError
from prunescope.runs.store import lease

NODE = "a" * 32


def left_behind(store, *, host, process, age):
    path = store.root / "leases" / NODE
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{host} {process} {'0' * 32}")
    os.utime(path, (time.time() - age, time.time() - age))


def dead_process():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_only_one_holds_it_until_it_is_released(store):
    held = lease.acquire(store, NODE)
    assert held is not None
    assert lease.acquire(store, NODE) is None
    assert lease.alive(held.path)
    held.release()
    assert not held.path.exists()
    again = lease.acquire(store, NODE)
    assert again is not None
    again.release()


@pytest.mark.parametrize(
    ("host", "process", "age", "free"),
    [
        ("here", "dead", 0, True),
        ("here", "alive", 5, False),
        ("elsewhere", "dead", 5, False),
        ("elsewhere", "dead", 1000, False),  # its clock may be behind
    ],
)
def test_a_lease_left_behind_is_taken_over(host, process, age, free, store):
    name = socket.gethostname() if host == "here" else "another-machine"
    number = dead_process() if process == "dead" else os.getppid()
    left_behind(store, host=name, process=number, age=age)
    taken = lease.acquire(store, NODE)
    assert (taken is not None) == free
    if taken is not None:
        taken.release()


def test_a_lease_whose_writer_was_killed_names_nobody_and_is_free(store):
    (store.root / "leases").mkdir()
    (store.root / "leases" / NODE).write_text("")
    taken = lease.acquire(store, NODE)
    assert taken is not None
    taken.release()


@pytest.mark.parametrize("age", [-600, 5, 600])
@pytest.mark.parametrize("beats", [False, True])
def test_whether_another_machine_works_is_seen_whatever_its_clock_says(age, beats, store, monkeypatch):
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.2)
    left_behind(store, host="another-machine", process=1, age=age)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        assert beats is False or lease.acquire(store, NODE) is None
        if beats:
            left_behind(store, host="another-machine", process=1, age=age)
        elif (taken := lease.acquire(store, NODE)) is not None:
            assert time.monotonic() > end - 0.31
            taken.release()
            return
        time.sleep(0.02)
    assert beats


def test_one_of_many_takes_over(store):
    left_behind(store, host=socket.gethostname(), process=dead_process(), age=0)
    taken = []
    contenders = [threading.Thread(target=lambda: taken.append(lease.acquire(store, NODE))) for _ in range(16)]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    (winner,) = [one for one in taken if one is not None]
    winner.release()


def test_it_beats_whatever_its_holder_does_and_no_longer(store, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    held = lease.acquire(store, NODE)
    os.utime(held.path, (0, 0))
    end = time.monotonic() + 5
    while held.path.stat().st_mtime < 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert time.time() - held.path.stat().st_mtime < 5
    held.release()
    held.path.write_text("another's")
    os.utime(held.path, (0, 0))
    time.sleep(0.1)
    assert held.path.stat().st_mtime == 0


def test_who_lost_a_lease_does_not_take_it_from_the_new_holder(store):
    slow = lease.acquire(store, NODE)
    left_behind(store, host="another-machine", process=1, age=0)
    slow.release()
    assert (store.root / "leases" / NODE).exists()


def test_a_store_that_cannot_be_written_is_a_clear_error(store, monkeypatch):
    def refuse(*args, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(lease.Path, "write_text", refuse)
    with pytest.raises(StoreError, match="read-only; choose another folder"):
        lease.acquire(store, NODE)
