"""The package: what its metadata say, what its workflows pin, and the wheel outside the repository."""

import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import prunescope

ROOT = Path(__file__).parent.parent
CAUGHT_INSIDE = {("prunescope.sparsity.unit_search", "_Refused"), ("prunescope.runs.execution.workbench", "Stopped")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_one_version_and_every_python() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert PROJECT["version"] == prunescope.__version__ == re.search(r"^version: (\S+)", citation, flags=re.M)[1]
    versions = {f"Programming Language :: Python :: 3.{minor}" for minor in range(11, 15)}
    assert versions <= set(PROJECT["classifiers"]) and PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["authors"] == [{"name": re.search(r'- name: "(.*)"', citation)[1]}]


def test_actions_are_pinned_by_commit() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)(.*)", path.read_text())
        assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action, _ in used), path
        assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", version) for _, version in used), path


def test_constraints_are_renewed_without_losing_comments_or_torch() -> None:
    names = runpy.run_path(str(ROOT / "tools" / "update_constraints.py"))
    text = "# why\nPyYAML==6.0\ntorch==2.9+cpu\nother==1\n"
    renewed = names["merged"](text, {"pyyaml": "7.1", "torch": "3.0"})
    assert renewed == "# why\nPyYAML==7.1\ntorch==2.9+cpu\nother==1\n"


def test_a_release_has_absolute_links_and_pages_of_the_repository() -> None:
    names = runpy.run_path(str(ROOT / "tools" / "addresses.py"))
    where = ("https://example.org/owner/name", "v1")
    links = re.findall(r"\]\(([^)]+)\)", names["absolute"]((ROOT / "README.md").read_text(), *where))
    assert links and all(link.startswith("https://") for link in links)
    inside = [link.split("/v1/")[1].partition("#")[0] for link in links if link.startswith(where[0])]
    assert inside and all((ROOT / path).exists() for path in inside)
    project = tomllib.loads(names["with_urls"]((ROOT / "pyproject.toml").read_text(), *where))["project"]
    assert project["urls"]["Repository"] == where[0] and project["scripts"] == PROJECT["scripts"]


@pytest.mark.slow
def test_the_wheel_works_outside_the_repository(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "wheel.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "works outside the repository" in done.stdout, done.stderr


def test_one_name_catches_every_error_of_the_package() -> None:
    for module in pkgutil.walk_packages(prunescope.__path__, "prunescope."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            if isinstance(thing, type) and issubclass(thing, Exception) and thing.__module__ == module.name:
                inside = issubclass(thing, Warning) or (module.name, name) in CAUGHT_INSIDE
                assert issubclass(thing, prunescope.PrunescopeError) != inside, f"{module.name}.{name}"
