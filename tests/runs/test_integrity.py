"""Every flipped bit of a store is named, and only what it was part of is made again."""

import pytest
from two_chains import chain, contents, reading

from prunescope.base.errors import StoreError
from prunescope.base.reference import FINAL, StateRef
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.machine.measurements import Measurements
from prunescope.runs.machine.pricing import Price
from prunescope.runs.store import housekeeping, sealed
from prunescope.runs.store.store import Store
from prunescope.training.probes import Curve


@pytest.fixture
def store(two_chains: Store) -> Store:
    return two_chains


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


def test_what_a_later_version_wrote_is_not_set_aside(store: Store) -> None:
    run = next(store.run_ids())
    path = store.root / store.manifest_key(run)
    path.write_bytes(path.read_bytes().replace(b'"schema": 2', b'"schema": 3'))
    with pytest.raises(StoreError, match="written by a later version of prunescope; use that version"):
        store.manifest(run)
    assert path.exists() and not store.set_aside
    (checked,) = housekeeping.verify(store, [store.manifest_key(run)])
    assert "use that version on this store" in checked.problem and "delete" not in checked.problem
    store.write_json("prices/x.json", {"a": {"begin": 1.0, "of a later version": 2.0}, "b": 3})
    assert Measurements(store, "x", Price).known == {}


@pytest.mark.parametrize("pattern", ["runs", "readings/??", "runs/??/*", "runs/*/*/state-*", "runs/*/*/manifest.json"])
def test_what_lies_behind_a_link_is_not_passed_over(store: Store, pattern: str) -> None:
    linked = next(store.root.glob(pattern))
    linked.rename(store.root.parent / "elsewhere")
    linked.symlink_to(store.root.parent / "elsewhere")
    with pytest.raises(StoreError, match=f"{linked.name} is a link, and links are not followed; mount or put there"):
        housekeeping.files(store)


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
