"""The digest of what a user wrote changes when, and only when, what it computes may change."""

import copy
import functools
import importlib
import itertools
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from prunescope.base.code import code_digest, value_digest
from prunescope.base.installed import is_installed

_NUMBER = itertools.count()


def defined(text, name="f", **names):
    """A name that a notebook cell defines; its source is nowhere."""
    namespace = {"__name__": "__main__", "torch": torch, "nn": nn, **names}
    exec(textwrap.dedent(text), namespace)
    return namespace[name]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's from its text."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text, name=None):
        name = name or f"users_module_{next(_NUMBER)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return make


NET = """
    class Net(nn.Module):
        '''A network.'''
        def __init__(self, width=8):
            super().__init__()
            self.a = nn.Linear(4, width)
        def forward(self, x):
            return {act}(self.a(x)) * SCALE
    """


def test_installed_code_has_no_digest():
    for thing in (nn.Linear, torch.relu, functools.partial(nn.Linear, 3, 2), is_installed):
        assert code_digest(thing) is None


def test_an_edited_cell_is_another_class():
    one, same, other = (
        code_digest(defined(NET.format(act=act), "Net", SCALE=1.0))
        for act in ("torch.relu", "torch.relu", "torch.tanh")
    )
    assert one == same != other


def test_globals_closures_and_defaults_count():
    relu = NET.format(act="torch.relu")
    assert code_digest(defined(relu, "Net", SCALE=1.0)) != code_digest(defined(relu, "Net", SCALE=2.0))

    def with_rate(rate):
        return lambda x: x * rate

    assert code_digest(with_rate(0.1)) == code_digest(with_rate(0.1)) != code_digest(with_rate(0.2))
    assert code_digest(defined("def f(x, p=1): return x")) != code_digest(defined("def f(x, p=2): return x"))


def test_arrays_of_objects_and_tensors_without_numbers_count():
    text = "def f(x):\n    return TABLE"
    tables = [np.array(["a", None], dtype=object), np.array(["b", None], dtype=object), torch.ones(2, device="meta")]
    digests = [code_digest(defined(text, TABLE=table)) for table in tables]
    assert len(set(digests)) == 3
    assert digests[0] == code_digest(defined(text, TABLE=tables[0].copy()))


def test_a_helper_two_calls_away_counts_and_an_unrelated_global_does_not():
    text = "def h(x): return x + {n}\ndef g(x): return h(x)\ndef f(x): return g(x).data\ndata = {d}\n"
    one, helper, unrelated = (code_digest(defined(text.format(n=n, d=d))) for n, d in ((1, 0), (2, 0), (1, 5)))
    assert one == unrelated != helper


def test_comments_docstrings_and_layout_of_a_file_do_not_count(module):
    plain = module("import torch\ndef f(x):\n    return torch.relu(x)\n")
    said = module("import torch\n\n# Why.\ndef f(x):\n    'A docstring.'\n    return torch.relu(  x )  # what\n")
    other = module("import torch\ndef f(x):\n    return torch.tanh(x)\n")
    assert code_digest(plain.f) == code_digest(said.f) != code_digest(other.f)


def test_a_file_that_was_edited_after_its_import_does_not_speak_for_the_code_that_runs(module):
    old = module("import torch\ndef f(x):\n    return torch.relu(x)\n", "edited_later")
    before = code_digest(old.f)
    Path(old.__file__).write_text("import torch\ndef f(x):\n    return torch.tanh(x)  \n")
    stale = code_digest(old.f)
    fresh = code_digest(module("import torch\ndef f(x):\n    return torch.tanh(x)  \n", "edited_later").f)
    assert stale != fresh and before != fresh


def test_a_module_of_the_users_is_followed_as_far_as_it_is_read(module):
    name = f"users_helpers_{next(_NUMBER)}"
    found = []
    for scale, other in ((1, 1), (1, 2), (3, 1)):
        module(f"scale = {scale}\nother = {other}\ndef twice(x):\n    return 2 * x * scale\n", name)
        main = module(f"import {name} as helpers\ndef f(x):\n    return helpers.twice(x)\n")
        found.append(code_digest(main.f))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    "reads",
    [
        "import {package}.inner\ndef f(x):\n    return {package}.inner.twice(x)\n",
        "def f(x):\n    from {package}.inner import twice\n    return twice(x)\n",
        "def f(x):\n    import {package}.inner as inner\n    return inner.twice(x)\n",
        "import {package}.inner as inner\ndef f(x):\n    return getattr(inner, 'twice')(x)\n",
    ],
    ids=["a module of a package", "a name that is imported inside", "a module that is imported inside", "getattr"],
)
def test_what_is_read_of_a_package_counts_however_it_is_reached(module, tmp_path, reads):
    package, found = f"users_package_{next(_NUMBER)}", []
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    for scale, other in ((1, 1), (1, 2), (3, 1)):
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]
        text = f"SCALE = {scale}\nOTHER = {other}\ndef twice(x):\n    return 2 * x * SCALE\n"
        (tmp_path / package / "inner.py").write_text(text + "#" * len(found))
        found.append(code_digest(module(reads.format(package=package)).f))
    assert found[0] == found[1] != found[2]


class Scaling:
    """A decorator that keeps what it decorates and a number."""

    def __init__(self, function, by):
        functools.update_wrapper(self, function)
        self.function, self.by = function, by


class Numbers(dict):
    """A dictionary with attributes of its own."""

    def __init__(self, by):
        super().__init__()
        self.by = by


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by):
        self.by = by


def dispatching(by):
    function = functools.singledispatch(lambda x: x)
    function.register(float, eval(f"lambda x: {by} * x"))
    return function


def with_attribute(by):
    function = defined("def f(x): return x * f.by")
    function.by = by
    return function


@pytest.mark.parametrize(
    "make", [lambda by: Scaling(test_what_refers_to_itself_ends, by), Numbers, Slotted, dispatching, with_attribute]
)
def test_what_an_object_or_a_function_holds_counts_and_using_it_does_not(make):
    one, same, other = (make(by) for by in (1, 1, 2))
    first = code_digest(lambda: one)
    copy.copy(one)
    if callable(one) and not isinstance(one, Scaling):
        one(2.0)
    assert first == code_digest(lambda: one) and value_digest(one) == value_digest(same) != value_digest(other)


def test_instances_partials_and_methods():
    class Shift:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return x + self.by

        def method(self, x):
            return x * self.by

    assert code_digest(Shift(1)) == code_digest(Shift(1)) != code_digest(Shift(2))
    assert code_digest(Shift(1).method) != code_digest(Shift(2).method)
    assert code_digest(functools.partial(Shift, 1)) != code_digest(functools.partial(Shift, 2))


def test_what_refers_to_itself_ends():
    recursive = defined("def f(x): return f(x - 1) if x else g(x)\ndef g(x): return f(x)\n")
    assert code_digest(recursive) == code_digest(recursive)
    loop = []
    loop.append(loop)
    assert code_digest(defined("def f(): return loop", loop=loop)) is not None


def test_a_decorated_function_and_its_property_count():
    text = """
        def twice(function):
            def inner(*args):
                return {n} * function(*args)
            return inner
        class f:
            @twice
            def a(self): return 1
            @property
            def b(self): return {m}
            @staticmethod
            def c(): return {k}
        """
    digests = {
        code_digest(defined(text.format(n=n, m=m, k=k))) for n, m, k in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2))
    }
    assert len(digests) == 4


def test_a_package_that_was_installed_into_another_folder_is_installed_and_what_lies_beside_it_is_not(
    tmp_path, monkeypatch
):
    (tmp_path / "library_here").mkdir()
    (tmp_path / "library_here" / "__init__.py").write_text("def f(): return 1\n")
    (tmp_path / "mine_here.py").write_text("def g(): return 2\n")
    (tmp_path / "library_here-1.0.dist-info").mkdir()
    (tmp_path / "library_here-1.0.dist-info" / "METADATA").write_text("Name: library-here\nVersion: 1.0\n")
    (tmp_path / "library_here-1.0.dist-info" / "RECORD").write_text("library_here/__init__.py,,\n../bin/tool,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    library, mine = map(importlib.import_module, ("library_here", "mine_here"))
    assert (is_installed(library.__name__), is_installed(mine.__name__)) == (True, False)
    assert code_digest(library.f) is None
    assert code_digest(mine.g) is not None
