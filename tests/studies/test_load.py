"""From the name of a study to the study, and settings from text."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.cli.overrides import gather
from prunescope.studies.load import changed, find


class Inner(Value):
    fraction: float = Field(default=0.2, gt=0, lt=1)


class Settings(Value):
    epochs: int = Field(default=40, ge=1)
    lr: float = 0.1
    noise: tuple[float, ...] = (0.0,)
    name: str = "lenet"
    curves: bool = True
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("pair", "field", "expected"),
    [
        ("epochs=3", "epochs", 3),
        ("lr=1e-3", "lr", 1e-3),
        ("lr=2", "lr", 2.0),
        ("noise=[0, 0.15]", "noise", (0.0, 0.15)),
        ("noise=[0, 1e-1]", "noise", (0.0, 0.1)),
        ("name=vgg=16", "name", "vgg=16"),
        ("curves=false", "curves", False),
        ("inner.fraction=0.5", "inner", Inner(fraction=0.5)),
    ],
)
def test_a_pair_sets_a_field(pair: str, field: str, expected: object) -> None:
    found = getattr(changed(Settings(), gather([pair])), field)
    assert found == expected
    assert type(found) is type(expected)


def test_a_number_with_an_exponent_is_one_wherever_it_is_passed_on_as_it_is() -> None:
    """Arguments of a user's own function have no declared type that would make a number of a text."""
    found = gather(["rate=1e-3", "rates=[2.5e3, -1E2]", "name='1e-3'", "run=1e3ep"])
    assert found == {"rate": 0.001, "rates": [2500.0, -100.0], "name": "1e-3", "run": "1e3ep"}


def test_changes_enter_the_id() -> None:
    assert changed(Settings(), gather(["lr=0.2"])).id == Settings(lr=0.2).id != Settings().id


def test_pairs_win_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("epochs: 7\nlr: 0.5\ninner:\n  fraction: 0.3\n")
    found = changed(Settings(), gather(["epochs=9"], file))
    assert found == Settings(epochs=9, lr=0.5, inner=Inner(fraction=0.3))


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("epoch=3", ("'epoch'", "did you mean 'epochs'", "lr, noise")),
        ("inner.share=3", ("'inner.share'", "fraction")),
        ("epochs.more=3", ("epochs.more", "40", "no fields")),
        ("epochs=ten", ("epochs='ten'", "valid integer")),
        ("epochs=2.5", ("epochs=2.5", "valid integer")),
        ("epochs=0", ("epochs=0", "greater than or equal to 1")),
        ("inner.fraction=1.5", ("inner.fraction=1.5", "less than 1")),
        ("lr=[", ("lr=[", "YAML")),
        ("epochs", ("epochs", "path.to.field=value")),
        ("=3", ("=3", "path.to.field=value")),
    ],
)
def test_a_wrong_pair_is_named(pair: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        changed(Settings(), gather([pair]))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [", "3: 4\n"])
def test_a_wrong_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"settings\.yaml"):
        gather([], file)


def test_a_field_and_its_parts_cannot_both_be_set() -> None:
    with pytest.raises(UsageError, match="inner"):
        gather(["inner=3", "inner.fraction=0.5"])


# -- finding

GOOD = """
from prunescope.base.value import Value
from prunescope.studies import Study

class Settings(Value):
    epochs: int = 1

SCALES = {"smoke": Settings(), "paper": Settings(epochs=9)}

def build(settings, scale):
    return Study("mine", "Why?", settings=settings, scale=scale)

def other(settings, scale):
    return Study("other", "Why?", settings=settings)

class Namespace:
    SCALES = {"laptop": Settings(epochs=5)}
    build = staticmethod(other)

def wrong(settings, scale):
    return 3

def broken(settings, scale):
    return 1 / 0

def refused(settings, scale):
    return Settings(epochs="many")
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / f"load_{tmp_path.name}.py"
    path.write_text(GOOD)
    yield path
    sys.modules.pop(path.stem, None)


def test_a_file_is_a_study(written: Path) -> None:
    study = find(str(written), {}).build()
    assert (study.name, study.scale) == ("mine", "smoke")
    assert find(str(written), {}).build("paper").settings.model_dump() == {"epochs": 9}


def test_a_module_and_names_in_it_are_studies(written: Path) -> None:
    assert find(f"{written.stem}:build", {}).build().name == "mine"
    assert find(f"{written.stem}:other", {}).build("paper").name == "other"
    template = find(f"{written.stem}:Namespace", {})
    assert template.settings() == ("laptop", template.scales["laptop"])
    assert find("short", {"short": written.stem}).build().name == "mine"


def test_a_missing_scale_lists_those_there_are(written: Path) -> None:
    with pytest.raises(UsageError, match="'laptop'; it has smoke, paper"):
        find(str(written), {}).settings("laptop")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("quickstrat", ("'quickstrat'", "did you mean 'quickstart'", "file.py")),
        ("nowhere.py", ("no file nowhere.py",)),
        ("nowhere_at_all:build", ("no module 'nowhere_at_all'",)),
        ("prunescope.nowhere", ("prunescope.nowhere", "ModuleNotFoundError")),
        ("prunescope.base.errors", ("no study", "SCALES", "build")),
        ("prunescope.base.errors:Nothing", ("no 'Nothing'",)),
    ],
)
def test_what_is_no_study_is_named(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        find(name, {"quickstart": "prunescope.papers.quickstart"})
    assert all(word in str(caught.value) for word in words), caught.value


def test_mistakes_in_a_build_say_where(written: Path) -> None:
    with pytest.raises(UsageError, match="returned int"):
        find(f"{written.stem}:wrong", {}).build()
    with pytest.raises(UsageError, match=rf"ZeroDivisionError.*{written.name}, line"):
        find(f"{written.stem}:broken", {}).build()


@pytest.mark.parametrize("text", ["def build(:\n", "import nowhere_at_all\n", "x = undefined\n"])
def test_mistakes_in_a_file_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / f"bad_{tmp_path.name}.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"Error: .*line 1: .*\)"):
        find(str(path), {})


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "json.py").write_text(GOOD)
    with pytest.raises(UsageError, match="another module is called 'json'"):
        find(str(tmp_path / "json.py"), {})
