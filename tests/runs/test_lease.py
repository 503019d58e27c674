import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import asdict, replace

import psutil
import pytest

from prunescope.base.errors import StoreError
from prunescope.runs.store import lease, local, pulse
from prunescope.runs.store.store import Store

NODE = "a" * 32
FOLDER = f"leases/aa/{NODE}"


def left_behind(store, *, machine="elsewhere", process=1, started=0.0, number=1, node=NODE):
    """A lease whose holder is another process; returns the holder."""
    holder = replace(Store(store.root).pulse.holder, host="other", process=process, started=started)
    holder = replace(holder, machine=machine) if machine else holder
    content = json.dumps(asdict(holder)).encode()
    store.storage.put(f"leases/{node[:2]}/{node}/{number}", content)
    return holder


def beat(store, holder, count):
    store.storage.put(pulse.sign_key(holder), json.dumps(asdict(holder) | {"beats": count}).encode())


def dead_process():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def held(store):
    return sorted(entry.key for entry in store.storage.entries("leases"))


def test_only_one_holds_it_until_it_is_released(store):
    first = lease.acquire(store, NODE)
    assert first is not None and held(store) == [f"{FOLDER}/1"]
    assert lease.acquire(store, NODE) is None
    assert lease.acquire(Store(store.root), NODE) is None
    assert lease.holder(store, NODE) == str(store.pulse.holder)
    first.release()
    assert held(store) == []
    again = lease.acquire(store, NODE)
    assert again is not None
    again.release()


def test_of_eight_contenders_exactly_one_wins_each_of_200_leases(store):
    stores, won, start = [Store(store.root) for _ in range(8)], [], threading.Barrier(8)

    def contend(mine):
        start.wait()
        for number in range(200):
            if (taken := lease.acquire(mine, f"{number:032x}")) is not None:
                won.append(taken.node)

    contenders = [threading.Thread(target=contend, args=(mine,)) for mine in stores]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    assert len(won) == len(set(won)) == 200
    for mine in stores:
        mine.pulse._stopped.set()


def test_a_lease_of_a_process_here_that_is_gone_is_taken_over_at_once(store):
    left_behind(store, machine=None, process=dead_process())
    taken = lease.acquire(store, NODE)
    assert taken is not None and held(store) == [f"{FOLDER}/1", f"{FOLDER}/2"]
    taken.release()
    assert held(store) == []


def test_a_store_that_was_copied_waits_for_nobody_who_works_on_the_original(store, tmp_path, monkeypatch):
    first = lease.acquire(store, NODE)
    shutil.copytree(store.root, tmp_path / "a copy")
    copy = Store(tmp_path / "a copy")
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.2)
    assert lease.acquire(copy, NODE) is None
    time.sleep(0.3)
    second = lease.acquire(copy, NODE)
    assert second is not None and lease.acquire(Store(store.root), NODE) is None
    first.release()
    second.release()


def test_a_killed_process_whose_end_nobody_asks_for_holds_nothing(store):
    with subprocess.Popen(["sleep", "100"]) as process:
        left_behind(store, machine=None, process=process.pid, started=psutil.Process(process.pid).create_time())
        assert lease.acquire(store, NODE) is None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lease.acquire(store, NODE) is not None


def test_where_a_clock_was_set_or_a_number_given_again_signs_of_life_tell(store, monkeypatch):
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.2)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.0)
    parent = psutil.Process(os.getppid())
    left_behind(store, machine=None, process=parent.pid, started=parent.create_time())
    assert lease.acquire(store, NODE) is None
    holder = left_behind(store, machine=None, process=parent.pid, started=parent.create_time() - 1000)
    for count in range(5):
        beat(store, holder, count)
        time.sleep(0.1)
        assert lease.acquire(store, NODE) is None
    time.sleep(0.3)
    assert lease.acquire(store, NODE) is not None


def test_a_lease_of_an_earlier_version_is_in_nobodys_way(store):
    (store.root / "leases").mkdir()
    (store.root / "leases" / NODE).write_text("another-machine 1 mark")
    taken = lease.acquire(store, NODE)
    assert taken is not None
    taken.release()


@pytest.mark.parametrize("skew", [-600, 0, 600])
@pytest.mark.parametrize("beats", [False, True])
def test_whether_another_machine_works_is_seen_whatever_its_clock_says(skew, beats, store, monkeypatch):
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.2)
    holder = left_behind(store, started=time.time() + skew)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + skew)
    begin, count = time.monotonic(), 0
    while time.monotonic() < begin + (0.5 if beats else 30):
        if beats:
            beat(store, holder, count := count + 1)
            os.utime(store.root / pulse.sign_key(holder), (now + skew, now + skew))
            assert lease.acquire(store, NODE) is None
        elif (taken := lease.acquire(store, NODE)) is not None:
            assert time.monotonic() > begin + 0.19
            taken.release()
            return
        time.sleep(0.02)
    assert beats


def test_one_of_many_takes_over(store):
    left_behind(store, machine=None, process=dead_process())
    taken = []
    contenders = [
        threading.Thread(target=lambda: taken.append(lease.acquire(Store(store.root), NODE))) for _ in range(16)
    ]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    (winner,) = [one for one in taken if one is not None]
    winner.release()


def test_who_was_slow_to_take_over_does_not_hold_it_beside_another(store, monkeypatch):
    """Between its look and its claim the lease was taken over, released, and claimed anew from number 1."""
    left_behind(store, machine=None, process=dead_process())
    original, other = store.storage.create, []

    def create(key, content, **options):
        if not other:
            other.append(None)
            lease.acquire(Store(store.root), NODE).release()
            other.append(lease.acquire(Store(store.root), NODE))
        return original(key, content, **options)

    monkeypatch.setattr(store.storage, "create", create)
    assert lease.acquire(store, NODE) is None
    assert held(store) == [f"{FOLDER}/1"]
    other[1].release()


def test_it_beats_whatever_its_holder_does_and_no_longer(store, monkeypatch):
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.02)
    taken, sign = lease.acquire(store, NODE), store.root / pulse.sign_key(store.pulse.holder)
    end, seen = time.monotonic() + 5, set()
    while len(seen) < 3 and time.monotonic() < end:
        seen |= {sign.read_bytes()} if sign.exists() else set()
        time.sleep(0.01)
    assert len(seen) == 3
    taken.release()
    end = time.monotonic() + 5
    while sign.exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    assert not sign.exists()


def test_who_lost_a_lease_does_not_take_it_from_the_new_holder(store):
    slow = lease.acquire(store, NODE)
    left_behind(store, number=2)
    slow.release()
    assert held(store) == [f"{FOLDER}/2"]


def test_the_dead_are_told_from_the_living_by_one_look(store, monkeypatch):
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.2)
    mine = lease.acquire(store, "b" * 32)
    left_behind(store, machine=None, process=dead_process(), node="c" * 32)
    left_behind(store, node="d" * 32)
    living = left_behind(store, node="e" * 32)
    timer = threading.Timer(0.1, beat, (store, living, 1))
    timer.start()
    dead = lease.dead(store, lease.held(store))
    timer.join()
    assert {key[10] for key in dead} == {"c", "d"}
    mine.release()


def test_a_store_that_cannot_be_written_is_a_clear_error(store, monkeypatch):
    def refuse(*args, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(local, "_write", refuse)
    with pytest.raises(StoreError, match="read-only; choose another folder"):
        lease.acquire(store, NODE)
