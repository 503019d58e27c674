"""Scripts of before the rooms find modules at their new places."""

import importlib
import subprocess
import sys

import pytest

from prunescope.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_same_module(old):
    script = f"import sys, {old}; assert sys.modules[{old!r}] is sys.modules[{MOVED[old]!r}]"
    assert importlib.import_module(old) is importlib.import_module(MOVED[old])
    assert importlib.import_module(MOVED[old]).__spec__.name == MOVED[old]
    if old == "prunescope.runs.status":  # which imports little
        subprocess.run([sys.executable, "-c", script], check=True)


def test_names_of_modules_that_are_packages_now():
    from prunescope.runs.graph import Reading
    from prunescope.runs.graph.nodes import Reading as ReadingNode
    from prunescope.runs.store import Store
    from prunescope.runs.store.store import Store as StoreClass

    assert Reading is ReadingNode and Store is StoreClass


def test_other_names_are_errors_as_ever():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("prunescope.runs.nothing")
