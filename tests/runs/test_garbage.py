"""What is pinned is kept; the rest can be removed, and nothing of anybody else's."""

import contextlib

import pytest
from two_chains import chain, contents, reading

from prunescope.base.errors import StoreError, UsageError
from prunescope.runs.store import housekeeping
from prunescope.runs.store.lease import acquire, held, titles
from prunescope.runs.store.store import Store


@pytest.fixture
def store(two_chains: Store) -> Store:
    return two_chains


def test_garbage_is_what_no_pin_needs(store: Store) -> None:
    kept, other = chain(0), chain(1)
    rubbish = housekeeping.garbage(store, {"mine": [reading(kept[1]).id]})
    assert set(rubbish.runs) == {kept[2].id, *(run.id for run in other)}
    assert set(rubbish.readings) == {reading(run).id for run in (kept[0], kept[2], *other)}
    assert rubbish.size == sum((store.root / key).stat().st_size for key in rubbish.keys)


def test_removing_keeps_every_pinned_bit(store: Store) -> None:
    housekeeping.pin(store, "my notebook", [reading(chain(0)[2])])
    before = contents(store)
    (name,) = store.pins()
    housekeeping.remove(store, housekeeping.garbage(store, store.pins()))
    after = contents(store)
    assert after == {path: before[path] for path in after}
    assert set(store.run_ids()) == {run.id for run in chain(0)}
    assert store.has_reading(reading(chain(0)[2]).id)
    housekeeping.check_pin(store, name)
    with pytest.raises(UsageError, match="nothing is pinned as 'x'; there is my_notebook"):
        housekeeping.check_pin(store, "x")


def test_pins_keep_what_is_not_made_yet(store: Store) -> None:
    housekeeping.pin(store, "plan", [reading(chain(5)[1])])
    rubbish = housekeeping.garbage(store, store.pins())
    assert len(rubbish.runs) == 6
    partial = store.root / store.partial_key(chain(5)[0].id)
    partial.parent.mkdir(exist_ok=True)
    partial.write_bytes(b"a checkpoint")
    stray = store.root / store.partial_key("f" * 32)
    stray.write_bytes(b"another")
    assert housekeeping.garbage(store, store.pins()).leftovers == (store.partial_key("f" * 32),)


def test_leftovers_of_killed_work_go(store: Store) -> None:
    pins = {"all": list(store.run_ids())}
    half = store.root / "tmp" / "half"
    half.mkdir(parents=True, exist_ok=True)
    (half / "state").write_bytes(b"x" * 10)
    hidden = store.root / "readings" / "ab" / ".reading.1234abcd"
    hidden.parent.mkdir(exist_ok=True)
    hidden.write_bytes(b"y")
    dead = store.root / "leases" / ("e" * 32)
    dead.parent.mkdir(exist_ok=True)
    dead.write_text("another-machine 1 mark")
    done = store.root / store.partial_key(chain(0)[0].id)
    done.parent.mkdir(exist_ok=True)
    done.write_bytes(b"z")
    rubbish = housekeeping.garbage(store, pins)
    assert {half / "state", hidden, dead, done} == {store.root / key for key in rubbish.leftovers}
    housekeeping.remove(store, rubbish)
    assert not any((store.root / key).exists() for key in rubbish.keys)
    assert len(list(store.run_ids())) == 6


def test_nothing_is_removed_while_someone_works(store: Store) -> None:
    lease = acquire(store, "d" * 32)
    assert lease is not None
    rubbish = housekeeping.garbage(store, {})
    with pytest.raises(StoreError, match="is working"):
        housekeeping.remove(store, rubbish)
    assert len(list(store.run_ids())) == 6
    lease.release()
    housekeeping.remove(store, rubbish)
    assert not list(store.run_ids())


def test_nothing_behind_a_link_is_removed_or_counted(store, tmp_path):
    home, other = tmp_path / "home", tmp_path / "other"
    for folder in (home / "thesis", other):
        folder.mkdir(parents=True)
    (home / "thesis" / "chapter.tex").write_text("text")
    (other / "model.safetensors").write_bytes(b"0" * 10**7)
    (store.root / "tmp").symlink_to(home)
    (store.root / "readings" / "zz").symlink_to(other)
    (store.root / "logs").mkdir(exist_ok=True)
    (store.root / "logs" / "of-a-stranger").symlink_to(home)
    garbage = housekeeping.garbage(store, {})
    assert garbage.size < 10**6
    housekeeping.remove(store, garbage)
    assert (home / "thesis" / "chapter.tex").exists()
    assert (other / "model.safetensors").exists()


def test_what_was_pinned_since_the_listing_is_not_removed(store):
    garbage = housekeeping.garbage(store, {})
    kept = chain(1)
    housekeeping.pin(store, "another-study", [reading(kept[1])])
    housekeeping.remove(store, garbage)
    assert set(store.run_ids()) == {kept[0].id, kept[1].id}
    assert store.has_reading(reading(kept[1]).id)


STRAY = (
    "runs/notes.txt",
    "runs/ab/README",
    "runs/ab/my copy/manifest.json",
    "readings/ab/notes.txt",
    "readings/desktop.ini",
    "partial/notes.txt",
    "notes/.draft.txt",
    "runs/.a.b",
)


def test_what_somebody_else_put_into_a_store_stays(empty):
    for name in STRAY:
        (empty.root / name).parent.mkdir(parents=True, exist_ok=True)
        (empty.root / name).write_text("mine")
    empty.add_reading("a" * 32, {}, {})
    housekeeping.remove(empty, housekeeping.garbage(empty, {}))
    left = {str(path.relative_to(empty.root)) for path in empty.root.rglob("*") if path.is_file()}
    assert left == {*STRAY, "SCHEMA"}


def test_a_folder_in_the_place_of_a_result_is_named(empty):
    key = empty.reading_key("a" * 32)
    (empty.root / key / "in it").mkdir(parents=True)
    assert not empty.known_readings(["a" * 32])
    with pytest.raises(StoreError, match="a folder lies in the place of a file; move it away"):
        empty.add_reading("a" * 32, {}, {})


@pytest.mark.parametrize("linked", ["pins", "pins/study.json"])
def test_a_pin_behind_a_link_pins(empty, tmp_path, linked):
    empty.pin("study", ["a" * 32])
    (empty.root / linked).rename(tmp_path / "elsewhere")
    (empty.root / linked).symlink_to(tmp_path / "elsewhere")
    assert empty.pins() == {"study": ["a" * 32]}


def test_a_flipped_bit_of_a_pin_unpins_nothing(empty):
    empty.pin("study", ["a" * 32, "b" * 32])
    path = empty.root / "pins" / "study.json"
    whole, pins = path.read_bytes(), empty.pins()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with contextlib.suppress(StoreError):
            assert empty.pins() == pins


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/../b", "-x", "a\nb", "%2e$x"])
def test_every_name_of_a_pin_keeps(empty, name):
    empty.pin(name, ["a" * 32])
    assert list(empty.pins().values()) == [["a" * 32]]
    assert [path.parent.name for path in empty.root.rglob("*.json")] == ["pins"]


FORGED_LEASES = (b"[" * 10**5, b'{"worker": "../../x", "host": "h", "machine": "m", "process": 1, "started": 0}')


@pytest.mark.parametrize(
    "content", [*FORGED_LEASES, FORGED_LEASES[1].replace(b"../../x", b"x").replace(b": 1", b": 1e999")]
)
def test_a_forged_lease_names_nobody(empty, content):
    key = f"leases/aa/{'a' * 32}/1"
    empty.storage.put(key, content)
    assert held(empty) == {key: None} and titles(empty, [key]) == {key: "a" * 8}


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", "[null]", "[" * 10**5])
def test_a_damaged_pin_is_named(empty, content):
    empty.storage.put("pins/study.json", content.encode())
    with pytest.raises(StoreError, match=r"study\.json is damaged; delete it"):
        empty.pins()
