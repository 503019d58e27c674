"""The README's examples are run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import prunescope as ps

README = Path(__file__).parent.parent / "README.md"


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)


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


def test_the_measure_of_the_readme_is_a_measure(tmp_path: Path) -> None:
    example = next(block for block in _blocks() if "class WeightNorm" in block)
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
