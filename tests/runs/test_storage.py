"""What every storage does, on a disk and in object storage (in memory here; a server of S3 in `test_cloud.py`)."""

import threading

import pytest
from specimens import contents, risk

from prunescope.base.errors import StoreError, UsageError
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import imp
from prunescope.runs.store import housekeeping, index, lease
from prunescope.runs.store.cloud import CloudStorage
from prunescope.runs.store.local import LocalStorage
from prunescope.runs.store.storage import storage_at
from prunescope.runs.store.store import Store


@pytest.fixture(params=["disk", "objects"])
def storage(request, tmp_path):
    if request.param == "disk":
        return LocalStorage(tmp_path / "lab")
    store = pytest.importorskip("obstore.store")
    return CloudStorage("memory://lab", store.MemoryStore())


def test_objects_come_and_go(storage):
    assert storage.get("a/b") is None and not storage.exists("a/b")
    storage.put("a/b", b"1")
    storage.put("a/b", b"22", durable=False)
    storage.put("a/c/d", b"3")
    assert storage.get("a/b") == b"22" and storage.exists("a/b") and not storage.exists("a")
    assert {entry.key: entry.size for entry in storage.entries("a")} == {"a/b": 2, "a/c/d": 1}
    assert {entry.key for entry in storage.entries("")} == {"a/b", "a/c/d"}
    assert {entry.key for entry in storage.entries("a/c")} == {"a/c/d"}
    storage.delete("a/b")
    storage.delete("a/b")
    assert storage.get("a/b") is None and storage.get("a/c/d") == b"3"


def test_a_replaced_object_is_seen_to_be_another(storage):
    storage.put("a/b", b"1")
    (before,) = storage.entries("a")
    storage.put("a/b", b"2")
    (after,) = storage.entries("a")
    assert before.changed != after.changed


@pytest.mark.parametrize("count", [3, 100])
def test_names_are_those_directly_in_a_folder(count, storage):
    for number in range(count):
        storage.put(f"runs/{number}/x", b"")
        storage.put(f"runs/{number}/deeper/y", b"")
    found = storage.names([f"runs/{number}" for number in range(count)] + ["runs/none", "nothing"])
    assert {folder: "x" in names for folder, names in found.items()} == {f"runs/{n}": True for n in range(count)}


def test_what_exists_is_not_created(storage):
    assert storage.create("a/b", b"first")
    assert not storage.create("a/b", b"second")
    assert storage.get("a/b") == b"first"


def test_of_many_that_create_exactly_one_succeeds(storage):
    start, won = threading.Barrier(8), []

    def contend(name):
        start.wait()
        for number in range(60):
            if storage.create(f"a/{number}", name):
                won.append((number, name))

    contenders = [threading.Thread(target=contend, args=(bytes([65 + k]) * 1000,)) for k in range(8)]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    assert sorted(number for number, _ in won) == list(range(60))
    assert all(storage.get(f"a/{number}") == name for number, name in won)


def test_a_lineage_is_the_same_wherever_it_is_stored(storage, recipe, tmp_path):
    nodes = [risk(run) for run in imp(recipe, levels=1)]
    reference = ensure(nodes, store=tmp_path / "reference", workers=1)
    store = Store(storage)
    made = ensure(nodes, store=store, workers=1)
    assert all(made[node] == reference[node] for node in nodes)
    expected = contents(tmp_path / "reference")
    found = {entry.key: storage.get(entry.key) for room in ("runs", "readings") for entry in storage.entries(room)}
    assert found.keys() == expected.keys()
    assert all(found[key] == expected[key] for key in found if not key.endswith("manifest.json"))
    assert [row.status for row in index.listing(store)] == ["done", "done"]
    assert not [checked for checked in housekeeping.verify(store, housekeeping.files(store)) if checked.problem]
    assert not list(storage.entries("leases")) and not list(storage.entries("partial"))
    housekeeping.remove(store, housekeeping.garbage(store, {}))
    assert not list(store.run_ids())


def test_a_claim_whose_answer_was_lost_is_still_a_claim(storage, monkeypatch):
    """The service created the lease, the answer got lost, and the client asked again."""
    store, original = Store(storage), storage.create

    def create(key, content, **options):
        original(key, content, **options)
        return original(key, content, **options)

    monkeypatch.setattr(storage, "create", create)
    held = lease.acquire(store, "a" * 32)
    assert held is not None
    assert lease.acquire(store, "a" * 32) is None
    held.release()


def test_an_address_that_cannot_be_a_store_is_refused(tmp_path):
    pytest.importorskip("obstore")
    for address in ("what://x", "://", "s3://", "s3://two words/lab"):
        with pytest.raises(StoreError, match=f"{address.rstrip('/')}.*look at the address"):
            storage_at(address)


def test_an_address_that_is_no_path_is_refused():
    for address in ("~nobody-of-that-name/lab", "nul\0l"):
        with pytest.raises(StoreError, match="choose another folder"):
            storage_at(address)
    with pytest.raises(UsageError, match="give the folder by its path"):
        storage_at("file:///lab")


@pytest.mark.parametrize("address", ["localhost:9000", "http://", "http://two words", "ftp://x"])
def test_a_service_whose_address_is_none_is_refused(address, monkeypatch):
    pytest.importorskip("obstore")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(UsageError, match=f"AWS_ENDPOINT_URL={address} is no address"):
        storage_at("s3://bucket/lab")


def test_object_storage_without_its_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(UsageError, match=r"pip install 'prunescope\[cloud\]'"):
        storage_at("s3://bucket/lab")
