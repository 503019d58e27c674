"""Finding runs and listing them."""

import time
from dataclasses import fields

import pytest
from two_chains import chain

from prunescope.base.errors import StoreError, UsageError
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.described import task_of_manifest
from prunescope.runs.store import housekeeping, index, sealed
from prunescope.runs.store.local import LocalStorage
from prunescope.runs.store.store import Store

PACK = index.PACK


@pytest.fixture
def store(two_chains: Store) -> Store:
    return two_chains


def test_find_takes_a_prefix_and_names_candidates(store: Store) -> None:
    ids = list(store.run_ids())
    assert housekeeping.find(store, ids[0]) == ids[0]
    assert housekeeping.find(store, ids[0][:12].upper()) == ids[0]
    with pytest.raises(UsageError, match="no stored run begins with 'xyz'"):
        housekeeping.find(store, "xyz")
    with pytest.raises(UsageError, match="6 runs begin with ''") as caught:
        housekeeping.find(store, "")
    assert all(run[:12] in str(caught.value) for run in ids)


def test_lineage_is_the_chain_to_the_first_run(store: Store) -> None:
    runs = chain(0)
    found = housekeeping.lineage(store, runs[2].id)
    assert [manifest["id"] for manifest in found] == [run.id for run in reversed(runs)]


# -- listing


def test_listing_says_what_the_manifests_say(store: Store) -> None:
    rows = {row.id: row for row in index.listing(store)}
    runs = chain(1)
    assert set(rows) == set(store.run_ids())
    for level, recipe in enumerate(runs):
        row, manifest = rows[recipe.id], store.manifest(recipe.id)
        assert manifest is not None
        assert (row.status, row.network, row.data, row.noise) == ("done", "LeNet", "blobs", 0.25)
        assert (row.level, row.seed, row.steps) == (level, 1, 2)
        assert row.sparsity == manifest["sparsity"]
        assert row.size == sum(path.stat().st_size for path in (store.root / store.run_folder(recipe.id)).iterdir())


def test_listing_follows_the_store(store: Store) -> None:
    assert len(index.listing(store)) == 6
    ensure(chain(2)[0], store=store, workers=1)
    assert len(index.listing(store)) == 7
    housekeeping.remove(store, housekeeping.garbage(store, {"mine": [chain(2)[0].id]}))
    assert [row.id for row in index.listing(store)] == [chain(2)[0].id]


def test_listing_works_where_it_cannot_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: LocalStorage, key: str, content: bytes, **options: object) -> bool:
        raise StoreError("cannot be written")

    many(store, PACK)
    monkeypatch.setattr(LocalStorage, "create", refused)
    rows = index.listing(store)
    assert len(rows) == PACK + 6 and index.listing(store) == rows


FORGED = ('{"schema": 1, "id": "%s", %s}', "[" * 10**5, "{", "null", "[]")
OTHERS = ('"recipe": "x"', '"recipe": {"task": {"network": {"path": 1}}}', '"recipe": {"task": -1}', '"recipe": null')


def test_a_manifest_that_is_none_is_listed_as_damaged(empty: Store) -> None:
    for number, other in enumerate([*FORGED[1:], *OTHERS]):
        run = f"{number:032x}"
        empty.storage.put(empty.manifest_key(run), (FORGED[0] % (run, other) if other in OTHERS else other).encode())
    assert [row.status for row in index.listing(empty)] == ["damaged"] * 8


@pytest.mark.parametrize("task", [1, "x", None, {"network": 1}, {"network": {"path": 1}}, {"network": {}, "data": []}])
def test_a_manifest_of_no_task_has_none(task: object) -> None:
    assert task_of_manifest({"id": "a" * 32, "recipe": {"task": task}}) is None


def test_a_thousand_runs_are_listed_at_once(store: Store) -> None:
    many(store, 1000)
    assert len(index.listing(store)) == 1006
    began = time.process_time()
    assert len(index.listing(store)) == 1006
    assert time.process_time() - began < 0.5


def test_stray_files_do_not_stop_the_listing(store):
    known = index.listing(store)
    (store.root / "runs" / ".DS_Store").touch()
    next((store.root / "runs").glob("??")).joinpath(".DS_Store").touch()
    assert index.listing(store) == known


def many(store: Store, count: int) -> dict[str, int]:
    """Stores the manifest of one run under so many other ids; the steps by id."""
    manifest = store.manifest(chain(0)[0].id)
    assert manifest is not None
    steps = {f"{number % 256:02x}{number:030x}": number for number in range(count)}
    for run, step in steps.items():
        content = sealed.manifest_bytes(manifest | {"id": run, "steps": step})
        store.storage.put(store.manifest_key(run), content, durable=False)
    return steps


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that were read from any folder."""
    keys: list[str] = []
    original = LocalStorage.get
    monkeypatch.setattr(LocalStorage, "get", lambda self, key: keys.append(key) or original(self, key))
    return keys


def test_packs_are_read_and_not_hundreds_of_manifests(store, reads):
    steps = many(store, 250)
    first = index.listing(store)
    assert {row.id: row.steps for row in first}.items() >= steps.items() and len(reads) == 257
    reads.clear()
    assert index.listing(store) == first
    assert len(reads) == 2 + 56  # two packs, and what made no whole one


def test_a_pack_is_believed_only_of_files_that_are_as_they_were(store):
    steps = many(store, PACK)
    index.listing(store)
    changed, gone = list(steps)[:2]
    manifest = store.manifest(changed)
    store.storage.put(store.manifest_key(changed), sealed.manifest_bytes(manifest | {"steps": 123_456}))
    store.storage.delete(store.manifest_key(gone))
    rows = {row.id: row for row in index.listing(store)}
    assert rows[changed].steps == 123_456 and gone not in rows and len(rows) == PACK + 5


@pytest.mark.parametrize("damage", ["flipped", "no JSON", "others", "forged"])
def test_a_damaged_pack_is_passed_over_and_named_by_verify(store, damage):
    many(store, PACK)
    first = index.listing(store)
    (pack,) = (store.root / "listings").iterdir()
    content = pack.read_bytes()
    pack.write_bytes(
        {
            "flipped": content.replace(b"LeNet", b"LeNex", 1),
            "no JSON": b"[" * 10**5,
            "others": sealed.record_bytes({"version": 1, "rows": [["x"]]}),
            "forged": sealed.record_bytes({"version": index.VERSION, "rows": [[1] * 14, "x", None]}),
        }[damage]
    )
    assert index.listing(store) == first
    named = {one.key for one in housekeeping.verify(store, [f"listings/{pack.name}"]) if one.problem}
    assert named == ({f"listings/{pack.name}"} if damage in ("flipped", "no JSON") else set())


def test_what_was_out_of_reach_is_read_again_here_and_never_packed(store, monkeypatch):
    steps = many(store, PACK)
    original, lost = index.Store.manifest_key, next(iter(steps))
    monkeypatch.setattr(index.Store, "manifest_key", lambda self, run: "no" if run == lost else original(self, run))
    assert {row.id: row.status for row in index.listing(store)}[lost] == "damaged"
    monkeypatch.setattr(index.Store, "manifest_key", original)
    assert {row.status for row in index.listing(store)} == {"done"}
    assert {row.status for row in index.listing(store)} == {"done"}


@pytest.mark.parametrize(
    "place, value", [("size", 2**70), ("status", "damaged"), ("seconds", float("nan")), ("data", "\ud800")]
)
def test_a_row_that_no_run_can_have_is_read_from_its_manifest(store, place, value):
    many(store, PACK)
    first = index.listing(store)
    (pack,) = (store.root / "listings").iterdir()
    record = sealed.parse_record(pack.read_bytes(), "pack")
    record["rows"][7][[field.name for field in fields(index.StoredRun)].index(place)] = value
    pack.write_bytes(sealed.record_bytes(record))
    assert index.listing(store) == first


def test_packs_out_of_reach_are_passed_over(store, monkeypatch):
    many(store, PACK)
    first, original = index.listing(store), LocalStorage.get

    def refused(self, key):
        if key.startswith("listings"):
            raise StoreError("cannot be read")
        return original(self, key)

    monkeypatch.setattr(LocalStorage, "get", refused)
    assert index.listing(store) == first


def test_packs_are_removed_with_other_leftovers(store):
    many(store, PACK)
    rows = index.listing(store)
    garbage = housekeeping.garbage(store, {"all": list(store.run_ids())})
    assert [key.partition("/")[0] for key in garbage.leftovers if key.startswith("listings")] == ["listings"]
    housekeeping.remove(store, garbage)
    assert not any((store.root / "listings").iterdir()) and index.listing(store) == rows
