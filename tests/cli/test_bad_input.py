"""Every kind of bad input: one message with the value, what is permitted and the fix; the right exit code.

`command` itself checks that no traceback is shown.
"""

import errno
import gzip
import os
import struct
import sys
from pathlib import Path

import pytest

from prunescope.base.errors import UsageError
from prunescope.runs.store.store import Store


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("epoch=3", ("'epoch'", "did you mean 'epochs'")),
        ("pruning.share=0.3", ("'pruning.share'", "fraction")),
        ("epochs=ten", ("epochs='ten'", "integer")),
        ("epochs=0", ("'0ep'", "no training", "40ep")),
        ("epochs=x", ("epochs='x'",)),
        ("drop=7ep", ("'7ep'", "the schedule has 4 steps", "earlier")),
        ("begin=5ep", ("begin='5ep'", "rewind to an earlier position")),
        ("begin=soon", ("'soon'", "not a duration", "10ep")),
        ("pruning.fraction=1.5", ("1.5", "less than 1")),
        ("pruning.fraction=-0.5", ("-0.5", "greater than")),
        ("lr=-1", ("-1", "greater than 0")),
        ("levels=-1", ("levels=-1", "0 is the dense network")),
        ("net=nowhere:Net", ("nowhere:Net", "package.module:Name")),
        ("source=[1", ("source=[1", "YAML")),
        ("levels=010", ("010 is another number in YAML",)),
        ("pruning={fraction: 0.5, fraction: 0.2}", ("fraction stands twice",)),
        ("levels=yes", ("levels=True", "a number")),
        ("source", ("source", "path.to.field=value")),
    ],
)
def test_usage_is_exit_2(command, study, store, pair, words) -> None:
    result = command("run", study, "-s", pair, "--workers", 1)
    assert result.exit_code == 2, result.output
    assert all(word in result.output for word in words), result.output
    assert not store.exists() or not list(Store(store).run_ids())


def test_unknown_study_scale_and_device_are_exit_2(command, study) -> None:
    for words, expected in (
        (("plan", "quickstrat"), "did you mean 'quickstart'"),
        (("plan", "jin2022/fig99"), "did you mean 'jin2022/fig7' or 'jin2022/fig6' or 'jin2022/fig5'?"),
        (("plan", study, "--settings", "nope.yaml"), "there is no file nope.yaml of settings"),
        (("plan", study, "--scale", "laptop"), "it has smoke, paper"),
        (("run", study, "--device", "abacus"), "'abacus' is not on this machine"),
        (("run", study, "--plan"), f"`prunescope plan {study}` says what it needs and costs"),
        (("runs", "show", "zz"), "no stored run begins with 'zz'"),
    ):
        Store("store")
        result = command(*words)
        assert result.exit_code == 2, result.output
        assert expected in result.output


@pytest.mark.parametrize(
    ("name", "pair", "says"),
    [
        ("jin2022/fig3", "noises=[0,-0.1]", "-0.1: input should be greater than or equal to 0"),
        ("jin2022/fig3", "noises=[0,1]", "1: input should be less than 1"),
        ("jin2022/lenet-preview", "noise=1", "1: input should be less than 1"),
        ("jin2022/lenet-preview", "noise=-0.1", "-0.1: input should be greater than 0"),
        ("jin2022/fig3", "levels=0", "levels=0: input should be greater than or equal to 1"),
        ("jin2022/fig5", "groups=2000", "groups=2000 of 1297 training examples"),
    ],
)
def test_impossible_noise_levels_and_groups_of_the_papers_studies(command, name, pair, says) -> None:
    result = command("plan", name, "--scale", "smoke", "-s", pair)
    assert result.exit_code == 2 and says in " ".join(result.output.split()), result.output


@pytest.mark.parametrize("fraction", [0.9, 0.99])
def test_levels_that_cannot_be_reached(command, study, store, fraction) -> None:
    words = ("-s", f"pruning.fraction={fraction}", "-s", "levels=4", "-s", "replicates=1")
    result = command("run", study, *words, "--workers", 1)
    assert result.exit_code == 1, result.output
    assert "failed" in result.output
    assert "fc" in result.output  # the layer is named
    assert any(Store(store).manifest(run)["status"] == "done" for run in Store(store).run_ids())


def test_a_loss_that_is_no_number(command, study) -> None:
    result = command("run", study, "-s", "lr=1e30", "--workers", 1)
    assert result.exit_code == 1
    assert "not a number" in result.output or "nan" in result.output.lower() or "finite" in result.output


def test_missing_data(command, study) -> None:
    result = command("run", study, "-s", "source=mnist")
    assert result.exit_code == 2
    assert "prunescope data get mnist" in result.output
    assert "train-images-idx3-ubyte" in result.output


def test_corrupt_data(command, study, tmp_path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        images = struct.pack(">BBBB3i", 0, 0, 8, 3, 2, 28, 28) + bytes(100)  # cut off
        (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x02\0\1")[:-9])
    result = command("run", study, "-s", "source=mnist")
    assert result.exit_code == 2
    assert "train-" in result.output
    assert "Delete it" in result.output
    checked = command("data", "check", "mnist")
    assert checked.exit_code == 1
    assert "corrupt" in checked.output


def test_a_store_of_another_schema(command, study, store) -> None:
    store.mkdir()
    (store / "SCHEMA").write_text("999\n")
    for words in (("run", study), ("plan", study), ("report", study), ("runs", "ls"), ("runs", "gc")):
        result = command(*words)
        assert result.exit_code == 2
        assert "schema '999'" in result.output
    assert [path.name for path in store.iterdir()] == ["SCHEMA"]


def test_a_folder_that_is_no_store(command, study, store) -> None:
    store.mkdir()
    (store / "thesis.tex").write_text("years of work")
    result = command("run", study)
    assert result.exit_code == 2
    assert "holds other files" in result.output
    assert [path.name for path in store.iterdir()] == ["thesis.tex"]


def test_no_store(command, study, store) -> None:
    for words in (
        ("runs", "ls"),
        ("runs", "show", "a"),
        ("runs", "verify"),
        ("runs", "gc"),
        ("report", study),
    ):
        result = command(*words)
        assert result.exit_code == 2
        assert "there is no store at" in result.output
        assert not store.exists()


def test_a_report_of_nothing_is_refused(command, study, store, tmp_path) -> None:
    command("run", study, "--workers", 1)
    result = command("report", study, "-s", "lr=0.07", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "nothing of" in result.output and "lr=0.07" in result.output and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("run", "quickstart"), ("plan", "quickstart"), ("explain",)])
def test_a_setting_typed_as_an_option_is_pointed_to(command, words) -> None:
    result = command(*words, "--noise-level", 3)
    assert result.exit_code == 2
    assert "-s noise_level=VALUE" in " ".join(result.output.replace("│", " ").split())


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self, inputs=16, classes=4, hidden=(8, 8)):
        super().__init__()
        self.fc = torch.nn.Linear(inputs, classes)

    def forward(self, x):
        return FACTOR * self.fc(x)
"""


def test_changed_code_behind_a_stored_network_is_another_network(command, study, store, tmp_path, monkeypatch) -> None:
    name = f"net_{Path(study).stem}"
    (tmp_path / f"{name}.py").write_text(f"FACTOR = 1.0\n{NET}")
    words = ("run", study, "-s", f"net={name}:Net", "--workers", 1)
    monkeypatch.syspath_prepend(str(tmp_path))
    first = command(*words)
    assert first.exit_code == 0, first.output
    monkeypatch.setattr(sys.modules[name], "FACTOR", 2.0)
    before = {path.name for path in (store / "runs").glob("*/*")}
    result = command(*words)
    assert result.exit_code == 0, result.output
    assert len({path.name for path in (store / "runs").glob("*/*")}) == 2 * len(before)
    sys.modules.pop(name)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EROFS, "read-only"), (errno.ENOSPC, "disk is full"), (errno.EACCES, "not permitted")],
)
def test_a_store_that_cannot_be_written(command, study, store, monkeypatch, code, words) -> None:
    assert command("run", study, "-s", "levels=0", "--workers", 1).exit_code == 0
    before = {path: path.read_bytes() for path in store.rglob("*.safetensors")}

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        result = command("run", study, "--workers", 1)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert {path: path.read_bytes() for path in store.rglob("*.safetensors")} == before
    assert command("runs", "verify").exit_code == 0
    assert command("run", study, "--workers", 1).exit_code == 0


def test_an_unexpected_error_is_told_in_two_lines(command, study, monkeypatch) -> None:
    monkeypatch.setattr("prunescope.studies.publish.publish", "a defect")
    result = command("report", study, "--store", Store("other").root)
    assert result.exit_code == 2
    assert "unexpected TypeError: 'str' object is not callable" in result.output
    assert "--debug" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("levels: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("levels: [&a [1, 1], *a]", r"an alias \(\*name\); write the value out"),
        ("1: 2", "the key 1 is no name of a field"),
        ("levels: !!set {1}", "is a set"),
        ("levels: " + "9" * 5000, "no value of its type: Exceeds the limit"),
        ("levels: 2026-02-30", "no value of its type: day is out of range"),
        ("levels: !!bool perhaps", "no value of its type"),
        ("levels: !!timestamp soon", "no value of its type"),
        ("network: subprocess:run", "neither a class derived from torch.nn.Module nor a function annotated"),
        ("inner: {network: shutil:rmtree}", "neither a class derived from torch.nn.Module"),
        ("network: string:ascii_letters", "neither a class derived from torch.nn.Module"),
        ("network: torch.nn:Module.apply", "neither a class derived from torch.nn.Module"),
    ],
)
def test_a_settings_file_that_is_refused(text, says, tmp_path) -> None:
    from prunescope.cli.overrides import gather

    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        gather([], file)


def test_a_settings_file_may_name_a_class_of_modules(tmp_path) -> None:
    from prunescope.cli.overrides import gather

    file = tmp_path / "settings.yaml"
    file.write_text("network: prunescope.tasks.nets:LeNet\narguments: {hidden: [8, 8]}\n")
    assert gather([], file)["network"] == "prunescope.tasks.nets:LeNet"


@pytest.mark.parametrize(
    "pair", ["replicates=999999999999", "replicates=1001", "levels=1001", "hidden=1000000000000000000000000"]
)
def test_counts_that_no_plan_ends_with_are_refused(pair) -> None:
    from prunescope.papers import quickstart
    from prunescope.studies.load import changed

    name, _, number = pair.partition("=")
    with pytest.raises(UsageError, match=f"{name}={number}: at most 1,0"):
        changed(quickstart.SCALES["smoke"], {name: int(number)})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("explain", "--network", "my_module:Net", "--data", "digits", "--epochs", "0"), "greater than or equal to 1"),
        (("explain", "-s", "rewind=9", "--plan"), "9 is not a duration"),
        (("plan", "jin2022/yours", "-s", "optimizer=Adamw"), "did you mean 'Adam'"),
        (("run", "quickstart", "--out", "a_file"), "is a file"),
        (("run", "quickstart", "--until-decided", "--most", "1001", "--out", "o"), "no study has more than 1,000"),
        (("plan", "quickstart", "-s", "levels=1", "-s", "levels=2"), "another -s sets that already"),
        (("plan", "quickstart", "-s", "pruning.fraction=0.5", "-s", "pruning={}"), "another -s sets that already"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_runs(command, tmp_path, words, says) -> None:
    (tmp_path / "a_file").write_text("")
    result = command(*words)
    assert result.exit_code == 2 and says in result.output, result.output
    assert not (tmp_path / "prunescope-store").exists()
