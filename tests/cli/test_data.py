"""data ls, get and check, without a network."""

import json
from datetime import datetime

import pooch
import pytest
import torch

from prunescope.tasks.data.tensors import own


def test_ls_says_what_is_there(command, tmp_path) -> None:
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "train-images-idx3-ubyte").write_bytes(b"x")
    result = command("data", "ls")
    assert result.exit_code == 0
    assert "1 of 4" in result.output
    assert "cifar10" in result.output
    assert str(tmp_path / "data") in result.output


def test_unknown_data_set(command) -> None:
    for verb in ("get", "check"):
        result = command("data", verb, "imagenet")
        assert result.exit_code == 2
        assert "choose one of mnist" in result.output


def test_get_without_a_network(command, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", offline)
    result = command("data", "get", "mnist")
    assert result.exit_code == 2
    assert "no route to host" in result.output
    assert "train-images-idx3-ubyte" in result.output
    assert "ossci-datasets" in result.output


def test_check_of_what_is_missing(command) -> None:
    result = command("data", "check", "mnist")
    assert result.exit_code == 1
    assert "missing" in result.output
    assert "prunescope data get mnist" in result.output


def test_get_shows_progress_and_says_where(command, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def fetched(name, progress):
        for done in (0, 50, 100):
            progress(f"{name}.gz", done, 100)
        return tmp_path / "data" / name

    monkeypatch.setattr("prunescope.tasks.data.files.download", fetched)
    result = command("data", "get", "mnist")
    assert result.exit_code == 0
    assert f"mnist is in {tmp_path / 'data' / 'mnist'}" in result.output


def test_ones_own_data_are_listed_with_size_and_use_and_removed(command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))
    x, y = torch.randn(40, 5), torch.arange(40) % 2
    first = own((x, y), (x[:9], y[:9]), class_names=["cat", "dog"], groups={"site": (None, ["a"] * 9)}).source
    second = own((x, 1 - y), (x[:9], y[:9])).source
    listed = command("data", "ls").output
    for words in (
        first.digest[:12],
        second.digest[:12],
        "train 40 × 5, test 9 × 5",
        "cat, dog",
        "site",
        "kB",
    ):
        assert words in listed
    assert str(datetime.now().year) in listed
    refused = command("data", "rm", "mnist")
    assert refused.exit_code == 2 and f"there are {second.digest[:12]}, {first.digest[:12]}" in refused.output.replace(
        "\n", " "
    )
    removed = command("data", "rm", first.digest[:6])
    assert removed.exit_code == 0 and "removed; " in removed.output
    assert first.digest[:12] not in command("data", "ls").output
    assert second.load().train_y.tolist() == (1 - y).tolist(), "arrays that both had stay"
    command("data", "rm", second.digest[:6])
    assert not list((tmp_path / "data" / "arrays").iterdir()) and "rm NAME" not in command("data", "ls").output


def test_a_plan_needs_no_data_and_a_run_does(command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "none"))
    words = ("jin2022/fig3", "-s", "levels=1", "-s", "replicates=1", "-s", "noises=[0]", "-s", "epochs=1")
    planned = command("plan", *words, "--json")
    assert planned.exit_code == 0, planned.output
    told = json.loads(planned.stdout)
    assert told["price"]["work"] > 0 and told["kinds"]["run: LeNet, continued, Prune"]["to do"] == 1
    assert "mnist is not here: images of its shape stood in" in planned.stderr
    assert "MNIST lacks" in command("run", *words).output
    assert {row["name"]: row["files"] for row in json.loads(command("data", "ls", "--json").stdout)["published"]}[
        "mnist"
    ] == 0
