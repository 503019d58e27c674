"""The notebooks: every cell parses and asks for names that are there; the slow test runs them as a reader would."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import prunescope as ps

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.md") if path.name != "index.md")
CELL = re.compile(r"```\{code-cell\} ipython3\n(.*?)```", flags=re.S)


def code_of(path: Path) -> str:
    return "\n".join(CELL.findall(path.read_text()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_parse_and_names_are_there(path: Path) -> None:
    tree = ast.parse(code_of(path))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_ps(node.value)}
    assert names and all(hasattr(ps, name) for name in names)
    assert f"\n{path.stem}\n" in (FOLDER / "index.md").read_text()
    assert path.read_text().startswith("---\nfile_format: mystnb\n")


def _is_ps(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "ps"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_in_an_empty_folder_without_network_in_time(path: Path, tmp_path: Path) -> None:
    (tmp_path / "cells.py").write_text(f"if __name__ == '__main__':\n{_indented(code_of(path))}")
    environment = os.environ | {
        "PRUNESCOPE_DATA": str(tmp_path),
        "http_proxy": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }
    began = children_seconds()
    done = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert children_seconds() - began < 2 * 300  # five minutes of two cores, whatever else the machine does


def children_seconds() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())
