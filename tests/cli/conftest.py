"""A tiny study of one's own, in a file, and a command line to run it with."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from prunescope.cli import app

STUDY = '''
"""Does a tiny network survive pruning?"""

from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Risk
from prunescope.runs.graph.families import extended, final, imp
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Remaining
from prunescope.studies import Claim, Direction, Figure, Lines, Quantity, Rows, Study, arrays, column
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD
from prunescope.training.probes import Curve
from prunescope.training.schedules import Constant, Milestones


class Pruning(Value):
    fraction: float = 0.2


class Settings(Value):
    epochs: int = 1
    lr: float = 0.1
    levels: int = 1
    replicates: int = 2
    noise: tuple[float, ...] = (0.0,)
    begin: str = "0it"
    drop: str = ""
    source: str = "synthetic"
    examples: int = 128
    pruning: Pruning = Pruning()
    net: str = "prunescope.tasks.nets:LeNet"


SCALES = {"smoke": Settings(), "paper": Settings(replicates=3)}


def base(s: Settings) -> Recipe:
    source = mnist() if s.source == "mnist" else synthetic(train=s.examples, test=64)
    net = network(s.net, inputs=16, classes=4, hidden=(8, 8))
    return Recipe(
        task=Task(network=net, data=Data(source=source)),
        optimizer=SGD(),
        schedule=Milestones(lr=s.lr, drops=(s.drop,)) if s.drop else Constant(lr=s.lr),
        batch=32,
        length=f"{s.epochs}ep",
    )


def build(settings: Settings, scale: str) -> Study:
    prune = Prune(amount=Remaining(fraction=settings.pruning.fraction))
    starts = [base(settings).replace(seeds=replicate(number)) for number in range(settings.replicates)]
    pruned = [imp(start, levels=settings.levels, prune=prune, rewind=settings.begin) for start in starts]
    longer = [extended(start, levels=settings.levels) for start in starts]
    levels = {"pruned": zip(*pruned), "extended": zip(*longer)}
    errors = {arm: [error(arm, runs) for runs in chain] for arm, chain in levels.items()}
    gain = errors["pruned"][0] - errors["pruned"][-1]
    claim = Claim("gain", "Pruning lowers the error.", gain, Direction("greater"))
    rows = [
        Rows({"arm": arm, "level": level}, {"error": values})
        for arm, chain in errors.items()
        for level, values in enumerate(chain)
    ]
    plot = Lines("level", "error", series="arm")
    traces = [Trace(probe=Curve(split="test"), run=start) for start in starts]
    curves = Figure(
        "curves",
        "Errors during training",
        caption="Test error after every epoch.",
        rows=[Rows({"arm": "dense"}, {"error": arrays(traces, "error")}, {"epoch": range(1, settings.epochs + 1)})],
        plot=Lines("epoch", "error", series="arm"),
    )
    figure = Figure("error", "Error", caption="Test error by level.", rows=rows, plot=plot, claims=(claim,))
    question = "Does a tiny network survive pruning?"
    return Study("tiny", question, settings=settings, scale=scale, figures=(figure, curves))


def error(arm: str, runs: tuple[Recipe, ...]) -> Quantity:
    return column([Reading(measure=Risk(), state=final(run)) for run in runs], "error", unit="fraction")
'''

Command = Callable[..., Result]


@pytest.fixture
def study(tmp_path: Path) -> Iterator[str]:
    """The path of the study; every test has its own module name."""
    path = tmp_path / f"study_{uuid.uuid4().hex}.py"
    path.write_text(STUDY)
    before = list(sys.path)
    yield str(path)
    sys.path[:] = before
    sys.modules.pop(path.stem, None)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command("run", study, ...)`: the result, after checking that no traceback was shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*words: object) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def spawned(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """`spawned("run", study, ...)`: the real command, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {
        "PRUNESCOPE_STORE": str(tmp_path / "store"),
        "PRUNESCOPE_DATA": str(tmp_path / "data"),
        "OMP_NUM_THREADS": "1",
    }

    def start(*words: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "prunescope", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
            # A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that.
            preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)],
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something that must happen."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    return wait
