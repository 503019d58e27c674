import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `specimens`, here and in worker processes

from specimens import recipe as make_recipe
from two_chains import chain, reading

from prunescope.runs.execution import preparation
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine import inspections
from prunescope.runs.machine.loader import LRU
from prunescope.runs.store.store import Store
from prunescope.training.loop import Stepper


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="session")
def victim() -> Iterator[Callable[..., dict[str, Any]]]:
    """`victim("kill", folder, 3)`: what comes of it in another process, which begins once."""
    command = [sys.executable, str(Path(__file__).with_name("victim.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def told(what: str, folder: Path, *numbers: int) -> dict[str, Any]:
            print(json.dumps([what, str(folder), *numbers]), file=process.stdin, flush=True)
            line = process.stdout.readline()
            assert line, "the victim ended; its last words are among the captured ones"
            return json.loads(line)

        yield told


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "empty")


@pytest.fixture
def two_chains(store: Store) -> Store:
    """Two chains of three runs, with a reading of each run."""
    ensure([reading(recipe) for seed in (0, 1) for recipe in chain(seed)], store=store, workers=1)
    return store


@pytest.fixture
def recipe() -> Recipe:
    return make_recipe()


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that were trained, or replayed, in this process."""
    ids: list[str] = []
    original = Workbench.member

    def member(self, job, beat, **options):
        ids.append(job.id)
        return original(self, job, beat, **options)

    monkeypatch.setattr(Workbench, "member", member)
    return ids


@pytest.fixture
def interrupted() -> Callable[..., None]:
    """`interrupted(recipe, store, after=5)`: Ctrl-C at the step number `after` of the training."""

    def interrupt(recipe: Recipe, store: Store, *, after: int) -> None:
        original, steps = Stepper.draw, 0

        def draw(self, step):
            nonlocal steps
            steps += step > 0 or steps > 0
            if steps > after:
                raise KeyboardInterrupt
            return original(self, step)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Stepper, "draw", draw)
            patch.setattr(preparation, "prices", lambda left, price: dict.fromkeys(left.work, 1.0))
            ensure(recipe, store=store, workers=1)

    return interrupt


@pytest.fixture
def another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Nothing was looked at yet; called, nothing again."""

    def forget() -> None:
        monkeypatch.setattr(inspections, "_INSPECTED", LRU(256))

    forget()
    return forget
