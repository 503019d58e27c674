"""The README's examples are run as a reader would run them."""

import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import prunescope as ps
from prunescope.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def _blocks(page: Path = README, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.S)


def test_the_fifteen_lines_run_as_a_script(tmp_path: Path) -> None:
    example = next(block for block in _blocks() if "ps.ensure" in block)
    code = [line for line in example.splitlines() if line.strip()]
    assert len(code) <= 15
    (tmp_path / "example.py").write_text(
        example.replace('length="10ep"', 'length="1ep"').replace("levels=6", "levels=1")
    )
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PRUNESCOPE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "error.svg").read_text().count("pruned") >= 1


class Net(torch.nn.Sequential):
    """What `my_module:Net` is where the README's commands are run."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


def _folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with all that the README's commands name."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PRUNESCOPE_DATA", str(folder / "data"))
    monkeypatch.delenv("PRUNESCOPE_STORE", raising=False)
    monkeypatch.syspath_prepend(folder)
    lines = inspect.getsource(Net)
    (folder / "my_module.py").write_text(f"import torch\n\n\n{lines}")
    (folder / "docs").symlink_to(ROOT / "docs")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 8)).astype(np.float32)
    arrays = {"train_x": x[:60], "train_y": (x[:60, 0] > 0) * 1, "test_x": x[60:], "test_y": (x[60:, 0] > 0) * 1}
    np.savez(folder / "my.npz", **arrays, test_site=draw.integers(2, size=60))
    for seed, name in enumerate(("dense", "dense2")):
        torch.manual_seed(seed)
        torch.save(Net().state_dict(), folder / f"{name}.pt")
    pruned = torch.load(folder / "dense.pt")
    pruned["1.weight"][:, 4:] = 0
    torch.save(pruned, folder / "pruned.pt")


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the package in a folder that has what they name; of make and pip, that they know the words."""
    _folder(tmp_path, monkeypatch)
    lines = [line.partition("  #")[0].strip() for block in _blocks(language="bash") for line in block.splitlines()]
    made = [line.split()[1] for line in lines if line.startswith("make ")]
    assert made and all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.M) for target in made)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = [name for line in lines if line.startswith("pip install ") for name in re.findall(r"\[(.*?)\]", line)]
    assert named and set(named) <= extras.keys()
    ours = [shlex.split(line) for line in lines if line.startswith("prunescope ")]
    assert len(ours) == len([line for line in lines if line and not line.startswith(("make ", "pip install "))])
    assert {words[1] for words in ours} >= {"audit", "explain", "list", "run", "why", "doctor"}
    for words in ours:
        smaller = ["--scale", "smoke", "--workers", "1"] if words[1] == "run" else []
        done = CliRunner().invoke(app, [*words[1:], *smaller])
        allowed = (0, 1, 3) if words[1] == "audit" else (0,)  # what its gate says
        assert done.exit_code in allowed, f"{' '.join(words)}\n{done.output}"


def test_the_measure_of_the_docs_is_a_measure(tmp_path: Path) -> None:
    example = next(block for block in _blocks(ROOT / "docs" / "adding.md") if "class WeightNorm" in block)
    names: dict[str, object] = {"ps": ps, "__name__": "readme"}
    exec(example, names)
    task = ps.Task(
        network=ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=64),
        data=ps.Data(source=ps.digits()),
    )
    run = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="1it")
    node = ps.Reading(measure=names["WeightNorm"](), state=ps.final(run))  # type: ignore[operator]
    value = float(ps.ensure(node, store=tmp_path / "store", workers=1)[node]["norm"])
    weights = ps.Store(tmp_path / "store").weights(run.id, ps.Moment().id)
    assert value == float(sum((p.double() ** 2).sum() for p in weights.params.values()) ** 0.5)
