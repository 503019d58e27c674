import contextlib
import errno
import os
import shutil

import pytest
import torch
from specimens import check_whole, contents, risk

from prunescope.base.errors import StoreError
from prunescope.base.reference import FINAL
from prunescope.base.state import Weights
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.families import extended
from prunescope.runs.store import codec, local, sealed

RUN, READING, PROBE = "ab" * 16, "cd" * 16, "ef" * 16
MANIFEST = {"schema": 2, "id": RUN, "status": "done", "recipe": {"kind": "Given"}, "parents": []}
EXEC = {**dict.fromkeys(("seconds", "steps", "peak_memory_mb"), 1.0), "finished": "2026-01-01T00:00:00+00:00"}
EXEC |= dict.fromkeys(("device", "machine", "prunescope", "torch", "python"), "x")


def state(value=1.0):
    return Weights({"w": torch.full((4,), value)}, {}, {"w": torch.tensor([True, False, True, True])})


@pytest.mark.parametrize(
    "forged",
    [{"sparsity": None}, {"sparsity": 2}, {"steps": True}, {"step": -1}, {"parents": [1]}, {"exec": {"seconds": "x"}}],
)
def test_a_manifest_that_says_what_none_can_say_is_damaged_whatever_its_digest(forged):
    with pytest.raises(codec.Damaged, match="m is damaged"):
        sealed.parse_manifest(sealed.manifest_bytes(MANIFEST | forged), "m", RUN)


@pytest.mark.parametrize("name", ["status", "recipe", "parents", "exec", "sparsity", "step", *EXEC])
def test_a_manifest_that_lacks_what_every_run_says_is_damaged_whatever_its_digest(name):
    sizes = {"sparsity": 0.5, "step": 1, "steps": 1, "parameters": 4}
    whole = MANIFEST | {"recipe": {"kind": "Recipe"}, "exec": EXEC} | sizes
    assert sealed.parse_manifest(sealed.manifest_bytes(whole), "m", RUN)["exec"] == EXEC
    lacking = {**whole, "exec": {key: value for key, value in EXEC.items() if key != name}}
    lacking.pop(name, None)
    with pytest.raises(codec.Damaged, match="m is damaged"):
        sealed.parse_manifest(sealed.manifest_bytes(lacking), "m", RUN)


def filled(store):
    store.add_run(RUN, MANIFEST, {FINAL.id: state()}, {PROBE: [{"step": 1, "loss": 0.5}]})
    return store


def test_a_run_comes_back(store):
    filled(store)
    assert store.manifest(RUN).items() > MANIFEST.items()
    assert store.weights(RUN, FINAL.id).params["w"].tolist() == [1, 0, 1, 1]
    assert store.trace(RUN, PROBE)["loss"].tolist() == [0.5]
    assert list(store.run_ids()) == [RUN]
    assert store.known_runs([RUN, READING]) == {
        RUN: {"status": "done", "why": "", "states": {FINAL.id}, "traces": {PROBE}}
    }


def test_a_copy_under_a_like_name_is_not_taken_for_the_object(store):
    filled(store).add_reading(READING, {"error": torch.zeros(())}, {})
    for key in (store.state_key(RUN, FINAL.id), store.trace_key(RUN, PROBE), store.reading_key(READING)):
        (store.root / key).rename(store.root / f"{key}.bak")
    assert store.known_readings([READING]) == set()
    assert store.known_runs([RUN]) == {RUN: {"status": "done", "why": "", "states": set(), "traces": set()}}


def test_a_link_that_leads_nowhere_is_neither_there_nor_missing(store):
    filled(store).add_reading(READING, {"error": torch.zeros(())}, {})
    path = store.root / store.reading_key(READING)
    path.unlink()
    path.symlink_to(store.root / "unmounted")
    for use in (lambda: store.known_readings([READING]), lambda: store.add_reading(READING, {}, {})):
        with pytest.raises(StoreError, match="is a link that leads nowhere; remove it, or mount what it leads to"):
            use()


def test_it_only_grows(store):
    before = contents(filled(store).root)
    store.add_run(RUN, MANIFEST | {"status": "failed"}, {FINAL.id: state(2.0)}, {})
    store.add_parts(RUN, {FINAL.id: state(2.0), "1" * 32: state(3.0)}, {PROBE: [{"step": 9, "loss": 9.0}]})
    after = contents(store.root)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


def test_a_failed_run_tells_why(store):
    store.add_run(RUN, MANIFEST | {"status": "failed", "why": "the loss is nan"}, {}, {})
    found = store.known_runs([RUN])[RUN]
    assert (found["status"], found["why"]) == ("failed", "the loss is nan")


def test_a_damaged_state_is_set_aside_and_made_again(store, recipe):
    ensure(recipe, store=store, workers=1)
    before = contents(store.root)
    path = store.root / store.state_key(recipe.id, FINAL.id)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"is damaged .* was moved to .*, and the same command makes it again"):
        store.weights(recipe.id, FINAL.id)
    assert not path.exists()
    ensure(recipe, store=store, workers=1)
    shutil.rmtree(store.root / "damaged")
    assert contents(store.root) == before


def test_a_child_of_a_damaged_state_is_not_stored_as_failed(store, recipe):
    child = extended(recipe, levels=1)[1]
    ensure(child.start.run, store=store, workers=1)
    flip((store.root / store.state_key(child.start.run.id, FINAL.id)), -1)
    with pytest.raises(StoreError, match="the same command makes it again"):
        ensure(child, store=store, workers=1)
    assert store.known_runs([child.id]) == {}
    assert ensure(child, store=store, workers=1)[child]["step"] > 0


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_damage_is_named_and_set_aside(store):
    filled(store)
    (store.root / store.trace_key(RUN, PROBE)).write_text("no table")
    with pytest.raises(StoreError, match="the same command makes it again"):
        store.trace(RUN, PROBE)
    ((store.root / store.run_folder(RUN)) / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"damaged .* was moved"):
        store.manifest(RUN)
    assert store.manifest(RUN) is None
    store.storage.put(store.reading_key(READING), b"no reading")
    with pytest.raises(StoreError, match="damaged"):
        store.reading(READING)
    assert not store.has_reading(READING)


def test_every_flipped_bit_of_a_manifest_is_noticed(store):
    content = sealed.manifest_bytes(MANIFEST | {"sparsity": 0.36, "layers": {"a": 0.5}})
    whole, unnoticed = sealed.parse_manifest(content, "it", RUN), []
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        with contextlib.suppress(StoreError):
            unnoticed += [] if sealed.parse_manifest(bytes(flipped), "it", RUN) == whole else [place]
    assert unnoticed == []


def test_every_flipped_byte_of_a_trace_is_noticed_or_changes_nothing(store):
    content = sealed.trace_bytes([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}], f"{RUN}/{PROBE}")
    whole, unnoticed = sealed.parse_trace(content, "it", f"{RUN}/{PROBE}"), []
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        with contextlib.suppress(StoreError):
            read = sealed.parse_trace(bytes(flipped), "it", f"{RUN}/{PROBE}")
            same = read.keys() == whole.keys() and all((read[name] == whole[name]).all() for name in whole)
            unnoticed += [] if same else [place]
    assert unnoticed == []


def test_a_manifest_of_an_earlier_version_is_read(store):
    store.storage.put(store.manifest_key(RUN), b'{"schema": 1, "id": "%s", "status": "done"}' % RUN.encode())
    assert store.manifest(RUN) == {"schema": 1, "id": RUN, "status": "done"}


def test_files_that_changed_places_are_not_taken_for_each_other(store):
    other = "c" * 32
    filled(store)
    store.add_run(other, MANIFEST | {"id": other}, {FINAL.id: state(2.0)}, {PROBE: [{"step": 9, "loss": 1.0}]})
    for key in (store.state_key, store.trace_key):
        moment = FINAL.id if key == store.state_key else PROBE
        (store.root / key(RUN, moment)).write_bytes((store.root / key(other, moment)).read_bytes())
    with pytest.raises(StoreError, match=f"it is the file of {other}"):
        store.weights(RUN, FINAL.id)
    with pytest.raises(StoreError, match=f"it is the trace of {other}"):
        store.trace(RUN, PROBE)


def test_a_run_whose_manifest_is_lost_can_be_stored_again(store):
    filled(store)
    ((store.root / store.run_folder(RUN)) / "manifest.json").unlink()
    filled(store)
    assert store.manifest(RUN).items() > MANIFEST.items()


def test_an_empty_trace_comes_back(store):
    store.add_run(RUN, MANIFEST, {FINAL.id: state()}, {PROBE: []})
    assert store.trace(RUN, PROBE) == {}


def test_a_checkpoint_that_cannot_be_read_costs_only_time(store):
    store.storage.put(store.partial_key(RUN), b"garbage")
    assert load_checkpoint(store, RUN) is None
    assert not (store.root / store.partial_key(RUN)).exists()


def test_pins(store):
    store.pin("my study/1", [READING, RUN, RUN])
    store.pin("other", [RUN])
    store.pin("other", [READING])
    assert store.pins() == {"my_study_1": sorted([READING, RUN]), "other": [READING]}


PROBLEMS = [
    (errno.ENOSPC, "the disk is full; free some space"),
    (errno.EDQUOT, "quota is used up"),
    (errno.EROFS, "read-only; choose another folder"),
    (errno.EACCES, "not permitted"),
    (errno.EIO, "Input/output error"),
]


@pytest.mark.parametrize(("number", "fix"), PROBLEMS)
def test_a_failed_write_is_explained_and_leaves_nothing(number, fix, store, monkeypatch):
    before = contents(filled(store).root)

    def refuse(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for write in (
        lambda: store.write_json("x.json", {"x": 1}),
        lambda: store.add_reading(READING, {"loss": torch.ones(2)}, {}),
        lambda: store.add_run("12" * 16, MANIFEST, {FINAL.id: state()}, {}),
        lambda: store.add_parts(RUN, {"1" * 32: state()}, {}),
    ):
        with pytest.raises(StoreError, match=fix):
            write()
    assert contents(store.root) == before
    assert not list(store.root.rglob(".*"))


@pytest.mark.parametrize("look", [lambda it: it.names(["x" * 300]), lambda it: list(it.entries("x" * 300))])
def test_a_folder_that_cannot_be_looked_into_is_said_not_to_be_readable(store, look):
    with pytest.raises(StoreError, match=r"cannot read \S+: File name too long\. "):
        look(store.storage)


def test_where_no_file_has_two_names_a_full_disk_leaves_no_part_of_one(store, monkeypatch, little_room):
    resource = pytest.importorskip("resource")

    def no_links(*names):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StoreError, match="File too large"):
        store.add_reading(READING, {"loss": torch.ones(2)}, {})
    assert not store.has_reading(READING) and not list(store.root.rglob(".*"))


@pytest.mark.parametrize("remains", [False, True])
def test_a_store_that_is_gone_is_not_begun_anew(remains, store, tmp_path):
    """Moved, deleted, or unmounted, of which an empty folder remains."""
    filled(store)
    store.root.rename(tmp_path / "elsewhere")
    if remains:
        store.root.mkdir()
    with pytest.raises(StoreError, match="was moved, deleted or unmounted; put it back, and the same command goes on"):
        store.pin("mine", [RUN])
    assert not list(tmp_path.glob("store/*"))


def test_a_full_disk_is_one_message_and_work_goes_on_afterwards(store, recipe, tmp_path, monkeypatch):
    ensure(risk(recipe), store=tmp_path / "reference", workers=1)
    room = 6
    original = local._write

    def write(file, content, durable):
        nonlocal room
        room -= durable
        if room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(file, content, durable)

    with monkeypatch.context() as full:
        full.setattr(local, "_write", write)
        with pytest.raises(Exception, match="the disk is full") as problem:
            ensure(risk(recipe), store=store, workers=1, checkpoint_seconds=0.0)
    assert "Traceback" not in str(problem.value)
    check_whole(store.root)
    ensure(risk(recipe), store=store, workers=1)
    assert contents(store.root) == contents(tmp_path / "reference")
