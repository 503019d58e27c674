"""data ls, get and check, without a network."""

import pooch
import pytest


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
    assert result.exit_code == 1
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
