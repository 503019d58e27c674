"""Finding, listing, checking and tidying what is stored."""

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from prunescope.base.errors import StoreError, UsageError
from prunescope.base.reference import FINAL, StateRef
from prunescope.base.streams import replicate
from prunescope.measures import Risk
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.described import task_of_manifest
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store import housekeeping, index, sealed
from prunescope.runs.store.lease import acquire, held, titles
from prunescope.runs.store.store import Store
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.probes import Curve
from prunescope.training.schedules import Constant


def chain(seed: int, levels: int = 2) -> list[Recipe]:
    net = network("prunescope.tasks.nets:LeNet", inputs=16, classes=4, hidden=(8, 8))
    base = Recipe(
        task=Task(network=net, data=Data(source=synthetic(train=64, test=32), label_noise=0.25)),
        optimizer=SGD(),
        schedule=Constant(lr=0.1),
        batch=32,
        length="1ep",
        seeds=replicate(seed),
    )
    return imp(base, levels=levels)


def reading(recipe: Recipe) -> Reading:
    return Reading(measure=Risk(), state=final(recipe))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two chains of three runs, with a reading of each run."""
    made = Store(tmp_path / "store")
    ensure([reading(recipe) for seed in (0, 1) for recipe in chain(seed)], store=made, workers=1)
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "empty")


def contents(store: Store) -> dict[str, bytes | None]:
    return {key: store.storage.get(key) for key in housekeeping.files(store)}


# -- finding


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


@pytest.mark.parametrize("damage", ["absent", "no database", "cut off", "another version"])
def test_listing_rebuilds_its_file(store: Store, damage: str) -> None:
    rows, path = index.listing(store), index.cache_file(store)
    if damage == "absent":
        path.unlink()
    elif damage == "no database":
        path.write_bytes(b"this is no database, and long enough to be looked at" * 100)
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-1500])
    else:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version=99")
            database.execute("DROP TABLE runs")
            database.execute("CREATE TABLE runs (other TEXT)")
    assert index.listing(store) == rows
    assert index.listing(store) == rows


def test_listing_works_where_it_cannot_write(store: Store) -> None:
    rows, path = index.listing(store), index.cache_file(store)
    path.unlink()
    path.mkdir()  # a file that sqlite cannot open, whoever runs the test
    assert index.listing(store) == rows


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
    manifest = store.manifest(chain(0)[0].id)
    assert manifest is not None
    for number in range(1000):
        run = f"{number:032x}"
        run = f"{number % 256:02x}{run[2:]}"
        store.storage.put(store.manifest_key(run), sealed.manifest_bytes(manifest | {"id": run}), durable=False)
    assert len(index.listing(store)) == 1006
    began = time.process_time()
    assert len(index.listing(store)) == 1006
    assert time.process_time() - began < 0.5


# -- integrity


def test_verify_finds_every_flipped_file(store: Store) -> None:
    keys = housekeeping.files(store)
    assert len(keys) == 6 + 6 + 6 + 1 + 1  # manifests, states, readings, the network, prices
    assert not any(checked.problem for checked in housekeeping.verify(store, keys))
    for key in keys:
        whole = (store.root / key).read_bytes()
        (store.root / key).write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        damaged = [checked for checked in housekeeping.verify(store, keys) if checked.problem]
        (store.root / key).write_bytes(whole)
        assert [checked.key for checked in damaged] == [key]


def test_what_verify_advises_repairs(store: Store) -> None:
    before, run = contents(store), chain(0)[1]
    path = next((store.root / store.run_folder(run.id)).glob("state-*"))
    path.write_bytes(path.read_bytes()[:-10])
    (damaged,) = housekeeping.verify(store, [store.state_key(run.id, FINAL.id)])
    assert f"delete {path.parent}," in damaged.problem
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    ensure([reading(recipe) for recipe in chain(0)], store=store, workers=1)
    after = contents(store)
    assert after.keys() == before.keys()
    assert all(after[key] == before[key] for key in before if "manifest" not in key)


# -- garbage


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


@pytest.mark.parametrize("apart", [401, pytest.param(1, marks=pytest.mark.slow)])
def test_every_flipped_byte_is_named_and_only_what_it_was_part_of_is_made_again(tmp_path, trained, apart):
    """By `verify` and at use, in every file; then (of every sixteenth) the same command makes the same store."""
    first, second = (StateRef(run=run) for run in chain(7, levels=1))
    nodes = [first, second, Trace(probe=Curve(split="test"), run=first.run), reading(second.run)]
    store = Store(tmp_path / "flipped")
    ensure(nodes, store=store, workers=1)
    housekeeping.pin(store, "study", nodes)
    whole = contents(store)
    assert {key.partition("/")[0] for key in whole} == {"runs", "readings", "networks", "pins", "prices"}
    for key, content in whole.items():
        file = store.root / key
        for place in range(0, len(content), apart):
            file.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
            (checked,) = housekeeping.verify(store, [key])
            assert checked.problem, (key, place)
            with pytest.raises(StoreError, match=f"{file} is damaged"):
                used(store, key)
            if place % (16 * apart):
                store.storage.put(key, content, durable=False)
                continue
            trained.clear()
            ensure(nodes, store=store, workers=1)
            housekeeping.pin(store, "study", nodes)
            assert trained == ([key.split("/")[2]] if key.startswith("runs/") else []), (key, place)
            if key.startswith(("networks", "prices")):  # made again when they are needed
                store.storage.put(key, content, durable=False)
            assert without_times(contents(store)) == without_times(whole), (key, place)


def without_times(files: dict[str, bytes | None]) -> dict[str, object]:
    """Files, and of manifests what does not say how a run was executed."""
    runs = {key: key.split("/")[2] for key in files if key.endswith("manifest.json")}
    facts = {key: sealed.parse_manifest(files[key] or b"", key, run) for key, run in runs.items()}
    return {**files, **{key: manifest | {"exec": ""} for key, manifest in facts.items()}}


def used(store: Store, key: str) -> object:
    """Reads an object as whoever uses it does."""
    if key.startswith("pins"):
        return store.pins()
    if key.startswith(("networks", "prices")):
        return store.record(key)
    *_, folder, file = key.split("/")
    kind, _, part = file.partition(".")[0].partition("-")
    read = {"manifest": store.manifest, "state": store.weights, "trace": store.trace}.get(kind)
    return read(folder, *[part] * bool(part)) if read else store.reading(kind)


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


def test_verify_names_every_damaged_file_and_goes_on(store):
    keys = housekeeping.files(store)
    readings = [store.root / key for key in keys if key.startswith("readings")]
    manifests = [store.root / key for key in keys if key.endswith("manifest.json")]
    header = bytearray(readings[0].read_bytes())
    header[header.index(b"facts")] ^= 1
    readings[0].write_bytes(header)
    manifests[0].write_text(manifests[0].read_text().replace('"step": ', '"step": 1'))
    manifests[1].unlink()
    checks = housekeeping.verify(store, housekeeping.files(store))
    damaged = {store.root / checked.key for checked in checks if checked.problem}
    assert damaged == {readings[0], *manifests[:2]}


def test_stray_files_do_not_stop_the_listing(store):
    known = index.listing(store)
    (store.root / "runs" / ".DS_Store").touch()
    next((store.root / "runs").glob("??")).joinpath(".DS_Store").touch()
    assert index.listing(store) == known


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
