"""The values of a bundle's nodes, from their texts: what they name is imported only where the reader trusts it."""

import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import prunescope
from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.graph.described import value_of
from prunescope.runs.graph.given import Given
from prunescope.runs.graph.nodes import Chosen, Combined, Compared, Reading, Trace
from prunescope.runs.graph.recipe import Recipe

NODES: list[type[Value]] = [Recipe, Given, StateRef, Reading, Compared, Trace, Combined, Chosen]
_PATH = re.compile(r"(?P<module>(?P<package>[A-Za-z_]\w*)(\.\w+)*):(?P<name>[\w.<>]+)( [0-9a-f]{32})?")
_COMPUTES = re.compile(
    r"prunescope\.(tasks|measures|sparsity|training|studies|papers|explain)(\.\w+)*|torch\.optim(\.lr_scheduler)?"
    r"|torch\.nn\.functional"
)
"""Modules whose own functions and classes compute and do nothing else."""


def values(texts: Mapping[str, str], *, trust: Collection[str] = ()) -> tuple[dict[str, Value], dict[str, str]]:
    """The values by id, and for every other node the reason why it has none here.

    texts: canonical texts by id, inputs first.
    trust: packages that may be imported besides this one, whatever a text asks of them.

    A value is given only where its id is that of the text, so that it says the same here as where it was published.
    """
    _import_own()
    known: dict[str, Value] = {}
    refused: dict[str, str] = {}
    for key, text in texts.items():
        try:
            plain = json.loads(text)
            if why := next(untrusted(plain, trust), ""):
                refused[key] = why
                continue
            lacking = [part for part in _strings(plain) if part in refused]
            if lacking:
                refused[key] = refused[lacking[0]]
                continue
            value = value_of(plain, NODES, known)
            if isinstance(value, Value) and value.id == key:
                known[key] = value
            else:
                refused[key] = "this version of prunescope makes another node of its text"
        except (PrunescopeError, KeyError, TypeError, ValueError, RecursionError) as problem:
            refused[key] = f"this version of prunescope cannot read its text ({type(problem).__name__}: {problem})"[
                :300
            ]
    return known, refused


def untrusted(plain: Any, trust: Collection[str]) -> Iterator[str]:
    """A sentence for every import path in plain data that leads out of this package and is not trusted."""
    for text in _strings(plain):
        path = _PATH.fullmatch(text)
        if path is not None and path["package"] not in trust and not _computes(path["module"], path["name"]):
            yield f"it names {text[:80]}; where you know that code, --trust {path['package']} lets it be imported"


def _computes(module: str, name: str) -> bool:
    """Whether a name is a module's own; what that module imports itself (`os`, `shutil.rmtree`) is not."""
    if not _COMPUTES.fullmatch(module):
        return False
    home = getattr(getattr(sys.modules.get(module), name, None), "__module__", "")
    return bool(home) and home.split(".")[0] == module.split(".")[0]


def _strings(plain: Any) -> Iterator[str]:
    pending = [plain]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            pending += [*part, *part.values()]
        elif isinstance(part, list):
            pending += part


def _import_own() -> None:
    """Everything that this package defines, so that its kinds are known."""
    for module in pkgutil.walk_packages(prunescope.__path__, "prunescope."):
        if _COMPUTES.fullmatch(module.name):
            importlib.import_module(module.name)
