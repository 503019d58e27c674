"""`export`, `publish` and `verify` as they are typed, and the Hub with a folder in its place."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parent))  # for `bundles_lab`

import bundles_lab as lab

import prunescope as ps
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.cli import app
from prunescope.sharing import places
from prunescope.sharing.bundle import open_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study of somebody's own, and a store in which it has run."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "tiny_study_of_theirs.py").write_text(lab.TEXT)
    ps.ensure(lab.build(lab.Settings(), "smoke").nodes, store=folder / "store", workers=1)
    return folder


@pytest.fixture
def command(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(folder / "store"))
    monkeypatch.setenv("COLUMNS", "160")
    before = list(sys.path)

    def invoke(*words, code=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code and "Traceback" not in result.output, result.output
        return result.output

    yield invoke
    sys.path[:] = before
    sys.modules.pop("tiny_study_of_theirs", None)


def test_added_replicates_are_published_and_judged_again(command, folder):
    words = ("tiny_study_of_theirs.py", "--until-decided", "--most", 4)
    command("run", *words, "--workers", 1, "--out", "added")
    command("publish", *words, "--to", "added-bundle")
    (claim,) = json.loads((folder / "added-bundle" / "report" / "summary.json").read_text())["claims"]
    assert claim["n"] in (3, 4) and claim["level"] > 0.95
    said = command("verify", "added-bundle", "--share", 0.01, "--seed", 3, "--study", "tiny_study_of_theirs.py")
    assert "1 of 1 published verdicts follow from the published values" in said


def test_publish_and_verify(command, folder):
    said = command("publish", "tiny_study_of_theirs.py", "--to", "bundle")
    print_of = open_bundle(folder / "bundle").fingerprint
    assert "4 runs" in said and print_of in said
    sys.modules.pop("tiny_study_of_theirs", None)
    said = command("verify", "bundle", "--share", 0.01, "--seed", 3, code=1)  # verdicts were not judged again
    assert (
        print_of in said and "with equal bits" in said and "is no study of prunescope; --study names its file" in said
    )
    assert "tiny_study_of_theirs" not in sys.modules
    said = command("verify", "bundle", "--share", 0.01, "--seed", 3, "--study", "tiny_study_of_theirs.py")
    assert "1 of 1 published verdicts follow from the published values" in said
    other = "build = lambda settings, scale: bundles_lab.build(settings.replace(lr=0.2), scale)"
    Path("renamed.py").write_text(f"{lab.TEXT}{other}")
    said = command("verify", "bundle", "--share", 0.01, "--seed", 3, "--study", "renamed.py", code=1)
    assert "or renamed.py has another name than its authors gave it" in " ".join(said.split())
    (folder / "bundle/nodes.jsonl").write_text("")
    said = command("verify", "bundle", code=1)
    assert "nodes.jsonl: it has 0 bytes" in said and "get it again" in said
    assert "no bundle" in command("verify", "nowhere", code=2)
    for place in ("store", "bundle", "bundle/mine"):
        assert "is a store, or in the bundle; name" in command("verify", "bundle", "--store", place, code=2)


def test_export(command, folder):
    run = next(ps.Store(folder / "store").run_ids())
    assert "equal outputs" in command("export", run[:8], "--to", "safetensors", "--out", "nets")
    assert (folder / f"nets/{run[:12]}.safetensors").exists()
    assert "no unit that can be left out" in command("export", run, "--to", "safetensors", "--smaller", code=2)
    for name in (run, "quickstart"):
        assert "no 'gif' to export to" in command("export", name, "--to", "gif", code=2)
    assert "give ids of runs" in command("export", "quickstart", "--to", "onnx", code=2)
    assert "no stored run begins with 'ffff'" in command("export", "ffff", "--to", "safetensors", code=2)
    assert "--smaller is for networks" in command("export", run, "--to", "mlflow", "--smaller", code=2)


class Hub:
    """The client's three functions over a folder."""

    def __init__(self, root):
        self.root = root

    def HfApi(self):  # noqa: N802
        return SimpleNamespace(create_repo=self.create, upload_folder=self.upload)

    def create(self, name, *, repo_type, exist_ok):
        assert repo_type == "dataset" and exist_ok

    def upload(self, *, folder_path, repo_id, **_):
        shutil.copytree(folder_path, self.root / repo_id)

    def snapshot_download(self, name, *, repo_type, revision, local_dir, ignore_patterns):
        if not (self.root / name).exists():
            raise OSError("404 Client Error: there is no such repository\nand more lines")
        shutil.copytree(self.root / name, local_dir)
        (Path(local_dir) / ".cache").mkdir()
        (Path(local_dir) / ".cache/notes").write_text("of the client")


def test_the_hub_gives_back_what_was_published(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "require", lambda extra, name: [Hub(tmp_path / "hub")])
    monkeypatch.chdir(tmp_path)
    study = lab.build(lab.Settings(), "smoke")
    published = ps.publish(study, "hf:somebody/tiny", store=folder / "store")
    assert not [path for path in tmp_path.iterdir() if path.name != "hub"]
    got = open_bundle(places.local("hf:somebody/tiny", tmp_path / "downloads"))
    assert got.fingerprint == published.fingerprint and len(got.runs) == 4
    with pytest.raises(PrunescopeError, match=r"hf:somebody/else: 404 .*repository; check the name, the network"):
        places.local("hf:somebody/else", tmp_path / "downloads")
    for name in ("hf:somebody", "hf:../../etc/passwd", "hf:a/b/c"):
        with pytest.raises(UsageError, match="names no data set"):
            places.is_remote(name)
