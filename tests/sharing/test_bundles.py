"""Bundles: published, verified by training again, and attacked as a stranger could."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

sys.path.append(str(Path(__file__).parent))  # for `bundles_lab`, as a study's own folder is on the path

import bundles_lab as lab
from bundles_lab import DAMAGES, PATHS, crafted, edited, flip, sealed

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.base.value import text_digest
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.sharing import rebuilt
from prunescope.sharing.bundle import DamagedBundle, open_bundle
from prunescope.sharing.publish import publish
from prunescope.sharing.verify import verify


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A study, its store and its bundle, as somebody else has them."""
    folder = tmp_path_factory.mktemp("theirs")
    study = lab.build(lab.Settings(), "smoke")
    store = ps.Store(folder / "store")
    ps.ensure(study.nodes, store=store, workers=1)
    publish(study, folder / "bundle", store=store, source={"study": "tiny", "scale": "smoke"})
    return study, store, folder / "bundle"


@pytest.fixture
def root(world, tmp_path):
    return Path(shutil.copytree(world[2], tmp_path / "bundle"))


def again(root, tmp_path, nodes=None, *, study=None, share=1.0, **options):
    bundle = open_bundle(root)
    nodes = nodes or (closure(study.nodes) if study else rebuilt.values(bundle.nodes)[0])
    return verify(bundle, nodes, store=ps.Store(tmp_path / "mine"), share=share, study=study, workers=1, **options)


def test_a_bundle_has_what_others_need_and_nothing_else(world):
    study, store, root = world
    bundle = open_bundle(root)
    recipes = {key: node for key, node in closure(study.nodes).items() if isinstance(node, Recipe)}
    assert bundle.runs.keys() == recipes.keys() and len(recipes) == 4
    assert bundle.nodes == {key: node.canonical for key, node in closure(study.nodes).items()}
    for node in study.nodes:
        run = node.run if isinstance(node, ps.Trace) else node.state.run
        values = bundle.values(run.id)[node.id]
        for name, array in (
            store.trace(run.id, node.probe.id).items() if isinstance(node, ps.Trace) else store.reading(node.id).items()
        ):
            assert np.array_equal(values[name], array) and values[name].dtype.kind == array.dtype.kind
    assert (root / "report/index.html").exists() and [claim["name"] for claim in bundle.claims] == ["gain"]
    text = "".join(path.read_text(errors="replace") for path in root.rglob("*") if path.is_file())
    assert str(store.root) not in text and Path.home().as_posix() + "/" not in text
    assert all(run["exec"]["machine"].startswith(os.uname().machine) for run in bundle.runs.values())
    assert open_bundle(root).fingerprint == bundle.fingerprint


def test_all_runs_again_have_the_same_bits(world, root, tmp_path):
    result = again(root, tmp_path, study=world[0])
    assert result.agrees and len(result.trained) == result.runs == 4 and result.verdicts == 1
    assert all(run.bits and run.distance == 0 and not run.elsewhere for run in result.trained)


def test_a_share_is_drawn_by_a_seed_and_trained_with_its_ancestors(root, tmp_path):
    nodes = rebuilt.values(open_bundle(root).nodes)[0]
    runs = {seed: {run.run for run in again(root, tmp_path, nodes, share=0.01, seed=seed).trained} for seed in range(6)}
    levels = [len(drawn) for drawn in runs.values()]
    assert set(levels) == {1, 2} and len(set(map(frozenset, runs.values()))) > 2
    assert {run.run for run in again(root, tmp_path, nodes, share=0.01, seed=3).trained} == runs[3]
    for share in (0.0, 1.5):
        with pytest.raises(UsageError, match="no share of the runs"):
            again(root, tmp_path, nodes, share=share)


def test_values_are_rebuilt_from_their_texts(world, root):
    known, refused = rebuilt.values(open_bundle(root).nodes)
    assert not refused and known == closure(world[0].nodes)


# -- files that are not what was published


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_bundle_is_named_file_by_file(what, root):
    damage, message = DAMAGES[what]
    damage(root)
    with pytest.raises(DamagedBundle, match=message):
        open_bundle(root)


def test_every_damaged_file_is_named_at_once(root):
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "bundle.json")
    for path in files:
        flip(path)
    with pytest.raises(DamagedBundle) as caught:
        open_bundle(root)
    assert set(caught.value.problems) == {path.relative_to(root).as_posix() for path in files}


def test_what_is_no_bundle(root, tmp_path):
    with pytest.raises(UsageError, match=r"no bundle\.json in it; `prunescope publish` makes one"):
        open_bundle(tmp_path)
    with pytest.raises(UsageError, match="there is no bundle at"):
        open_bundle(tmp_path / "nothing")
    edited(root / "bundle.json", '"format": 1', '"format": 99')
    with pytest.raises(UsageError, match="a bundle of format 99, this version reads 1"):
        open_bundle(root)


# -- changes under digests that were made anew


@pytest.mark.parametrize("changed", [{"by_interval": "reproduced"}, {"estimate": 99.5}])
def test_a_verdict_that_does_not_follow_is_found_in_whatever_is_drawn(changed, world, root, tmp_path):
    summary = json.loads((root / "report/summary.json").read_text())
    claim = summary["claims"][0]
    summary["claims"][0] = {**claim, **changed}
    (root / "report/summary.json").write_text(json.dumps(summary))
    sealed(root)
    result = again(root, tmp_path, study=world[0], share=0.01)
    ((name, value),) = changed.items()
    assert not result.agrees and not result.contradicted
    assert f"published as {value}" in result.wrong["gain"] and f"it is {claim[name]}" in result.wrong["gain"]


def test_other_values_are_found_in_the_runs_that_are_drawn(world, root, tmp_path):
    path = sorted((root / "values").iterdir())[0]
    arrays = load_file(path)
    name = next(name for name in arrays if name.endswith("/error") and arrays[name].ndim == 0)
    save_file({**arrays, name: np.array(arrays[name] + 0.01)}, path)
    sealed(root)
    result = again(root, tmp_path)
    (found,) = result.contradicted
    assert found.run == path.stem and found.bits and "error" in found.furthest and not result.agrees


@pytest.mark.parametrize(("size", "other"), [("sparsity", 0.5), ("step", 7), ("parameters", 10**6)])
def test_other_sizes_are_found_in_the_runs_that_are_drawn(size, other, world, root, tmp_path):
    record = json.loads((root / "runs.jsonl").read_text().splitlines()[0])
    edited(root / "runs.jsonl", f'"{size}": {record[size]}', f'"{size}": {other}')
    sealed(root)
    result = again(root, tmp_path)
    (found,) = result.contradicted
    assert found.run == record["id"] and found.bits and found.furthest.endswith(size)


def test_other_weights_are_found_in_the_runs_that_are_drawn(root, tmp_path):
    record = json.loads((root / "runs.jsonl").read_text().splitlines()[0])
    digest = next(iter(record["states"].values()))
    edited(root / "runs.jsonl", digest, text_digest("other weights"))
    sealed(root)
    result = again(root, tmp_path)
    assert [run.run for run in result.contradicted] == [record["id"]] and not result.contradicted[0].bits


def test_on_another_processor_bits_are_not_expected(world, root, tmp_path):
    lines = [json.loads(line) for line in (root / "runs.jsonl").read_text().splitlines()]
    for record in lines:
        record["exec"]["machine"] = "x86_64 2 cores, Another Processor"
        record["states"] = dict.fromkeys(record["states"], text_digest("other weights"))
    (root / "runs.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in lines))
    sealed(root)
    result = again(root, tmp_path, study=world[0])
    assert result.agrees and not result.contradicted and not any(run.bits for run in result.trained)
    assert {run.elsewhere for run in result.trained} == {("processor",)}


def test_another_recipe_is_another_node(root, tmp_path):
    edited(root / "nodes.jsonl", '"lr":0.1', '"lr":0.2')
    sealed(root)
    with pytest.raises(DamagedBundle, match="is not among the nodes"):
        again(root, tmp_path)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_nothing_that_a_bundle_names_is_imported(path, root, tmp_path, monkeypatch):
    marker = tmp_path / "was-imported"
    (tmp_path / "evil_module.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    known, refused = crafted(root, "prunescope.tasks.nets:LeNet", path)
    assert any(f"names {path[:60]}" in why and "--trust" in why for why in refused.values())
    assert not any(isinstance(node, Recipe) and node.task.network.path == path for node in known.values())
    assert not marker.exists() and "evil_module" not in sys.modules


def test_texts_that_make_no_sense_are_refused_one_by_one(root):
    texts = (root / "nodes.jsonl").read_text().splitlines()
    odd = [
        "",
        "{}",
        "[]",
        "7",
        "[" * 5000,
        '{"kind":"Recipe"}',
        '{"kind":"Nothing"}',
        '{"kind":7}',
        texts[0].replace("SGD", "Sgd"),
    ]
    known, refused = rebuilt.values({text_digest(text): text for text in (*odd, *texts)})
    assert len(refused) == len(odd) and len(known) == len(texts)


def test_names_that_are_no_ids_reach_no_file(root):
    line = (root / "runs.jsonl").read_text().splitlines()[0]
    run = json.loads(line)["id"]
    edited(root / "runs.jsonl", run, "../../../../etc/passwd")
    sealed(root)
    with pytest.raises(DamagedBundle, match="is not among the nodes"):
        _ = open_bundle(root).runs
    with pytest.raises(DamagedBundle, match="is no id"):
        open_bundle(root).values("../../../../etc/passwd")


@pytest.mark.parametrize(
    "change",
    [
        {"states": None},
        {"states": {}},
        {"exec": 7},
        {"status": 3},
        {"steps": "many"},
        {"states": {"x": 1}},
        {"exec": {"engine": 5}},
    ],
    ids=str,
)
def test_records_that_make_no_sense_are_named(change, root, tmp_path):
    lines = (root / "runs.jsonl").read_text().splitlines()
    (root / "runs.jsonl").write_text("".join(f"{json.dumps({**json.loads(line), **change})}\n" for line in lines))
    sealed(root)
    with pytest.raises(DamagedBundle, match=r"runs\.jsonl: .*run [0-9a-f]{12}"):
        again(root, tmp_path, share=0.01)


def test_an_ancestor_without_a_record_is_named(world, root, tmp_path):
    study = world[0]
    dense = next(node for node in study.nodes if isinstance(node, ps.Trace)).run.id
    lines = (root / "runs.jsonl").read_text().splitlines(keepends=True)
    (root / "runs.jsonl").write_text("".join(line for line in lines if json.loads(line)["id"] != dense))
    (root / f"values/{dense}.safetensors").unlink()
    sealed(root)
    with pytest.raises(DamagedBundle, match=f"run {dense[:12]} does not say how it was trained"):
        again(root, tmp_path, study=study)


def test_texts_made_numbers_are_other_values(root, tmp_path):
    for path in (root / "values").iterdir():
        arrays = load_file(path)
        for name in [name for name in arrays if name.endswith("#text")]:
            arrays[name.removesuffix("#text")] = np.zeros(len(json.loads(arrays.pop(name).tobytes())))
        save_file(arrays, path)
    sealed(root)
    result = again(root, tmp_path)
    assert result.contradicted and all(run.bits and run.distance == 1.0 for run in result.contradicted)


def test_verdicts_nested_without_end_are_named(root):
    nested = "[" * 500 + "]" * 500
    edited(root / "report/summary.json", '"estimate"', f'"more": {nested}, "estimate"')
    sealed(root)
    with pytest.raises(DamagedBundle, match=r"summary\.json: its claims are nested without end"):
        _ = open_bundle(root).claims


def test_what_stands_twice_is_named_since_only_one_of_the_two_is_judged(world, root, tmp_path):
    summary = json.loads((root / "report/summary.json").read_text())
    summary["claims"].insert(0, {**summary["claims"][0], "by_interval": "reproduced"})
    (root / "report/summary.json").write_text(json.dumps(summary))
    (root / "runs.jsonl").write_text((root / "runs.jsonl").read_text() * 2)
    sealed(root)
    with pytest.raises(DamagedBundle, match=r"runs\.jsonl: of 8 entries 4 stand twice"):
        _ = open_bundle(root).runs
    with pytest.raises(DamagedBundle, match=r"summary\.json: of 2 entries 1 stand twice"):
        _ = open_bundle(root).claims


def test_values_that_no_draw_would_find_out_are_named(world, root, tmp_path):
    lines = (root / "runs.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    for changed in ("", json.dumps({"id": last["id"], "status": "failed", "exec": {}, "states": {}}) + "\n"):
        (root / "runs.jsonl").write_text("".join(f"{line}\n" for line in lines[:-1]) + changed)
        sealed(root)
        with pytest.raises(DamagedBundle, match=rf"{last['id']}.*does not say that its run was trained"):
            again(root, tmp_path, study=world[0], share=0.01)
    (root / "runs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    first, second, *_ = sorted((root / "values").iterdir())
    save_file({**load_file(first), **load_file(second)}, first)
    sealed(root)
    with pytest.raises(DamagedBundle, match=f"{first.stem}.*is of another run"):
        again(root, tmp_path, study=world[0], share=0.01)


def test_a_claim_that_the_study_does_not_have_is_named(world, root, tmp_path):
    summary = json.loads((root / "report/summary.json").read_text())
    summary["claims"].append({**summary["claims"][0], "name": "more"})
    (root / "report/summary.json").write_text(json.dumps(summary))
    sealed(root)
    assert again(root, tmp_path, study=world[0], share=0.01).wrong == {"more": "the study has no such claim"}


def test_values_of_shapes_that_no_measure_has_are_named(world, root, tmp_path):
    for path in (root / "values").iterdir():
        arrays = load_file(path)
        empty = {name: np.zeros((3, 0), dtype=array.dtype) for name, array in arrays.items() if "#" not in name}
        save_file({**arrays, **empty}, path)
    sealed(root)
    with pytest.raises(DamagedBundle, match="values: no claim can be judged from them"):
        again(root, tmp_path, study=world[0], share=0.01)


def test_names_cannot_speak_to_the_terminal(root):
    (root / "values/\x1b[2Jgone").write_text("x")
    with pytest.raises(DamagedBundle, match=r"values/\?\[2Jgone: was not published"):
        open_bundle(root)


def test_publishing_again_replaces_a_bundle_and_nothing_else(world, root, tmp_path):
    study, store, _ = world
    before = open_bundle(root).fingerprint
    (tmp_path / "link").symlink_to(root)
    for ending in ("", ".old"):  # of one that was killed
        (tmp_path / f".{root.name}.0123abcd{ending}/report").mkdir(parents=True)
    for place in (root, tmp_path / "link"):
        assert publish(study, place, store=store, source={"study": "tiny", "scale": "smoke"}).fingerprint == before
    (tmp_path / "mine").mkdir()
    for place in (tmp_path / "mine", root):
        (place / "thesis.txt").write_text("all of it")
        with pytest.raises(UsageError, match=r"holds something else than a bundle \(thesis\.txt\)"):
            publish(study, place, store=store)
        assert (place / "thesis.txt").read_text() == "all of it"
    (tmp_path / "mine/bundle.json").write_text('{"files": {"thesis.txt": {}}, "format": 1}')  # another program's
    with pytest.raises(UsageError, match=r"holds something else than a bundle \(bundle\.json\)"):
        publish(study, tmp_path / "mine", store=store)
    with pytest.raises(UsageError, match="nothing of tiny is in"):
        publish(study, tmp_path / "new", store=ps.Store(tmp_path / "empty"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_bundle_that_does_not_fit_is_named_and_leaves_what_was_there(world, root, tmp_path, request):
    before = sorted(tmp_path.iterdir())
    request.getfixturevalue("little_room")
    for place in (root, tmp_path / "new"):
        with pytest.raises(OSError, match="File too large") as raised:
            publish(world[0], place, store=world[1])
        assert raised.value.filename == str(place)
    assert sorted(tmp_path.iterdir()) == before and open_bundle(root)
