"""What a piece of code reads besides its arguments: globals, members of a user's modules, imports inside functions."""

import dis
import functools
import importlib
import types
from collections.abc import Iterator, Mapping
from typing import Any

from prunescope.base.installed import is_installed


def globals_read(code: types.CodeType, namespace: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that a function and the functions inside it may read, and what they read of a user's modules."""
    read, others, imported = _reads(code)
    modules = ((name, _import(name, level, namespace)) for name, level in sorted(imported))
    for name, value in (*((name, namespace[name]) for name in sorted(read & namespace.keys())), *modules):
        yield name, value
        yield from _members(name, value, others)


def _members(name: str, value: Any, names: set[str]) -> Iterator[tuple[str, Any]]:
    """What code with these names may read of a user's module, and of the modules in it."""
    if isinstance(value, types.ModuleType) and not is_installed(value.__name__):
        for part in sorted(names & vars(value).keys()):
            yield f"{name}.{part}", (member := getattr(value, part))
            yield from _members(f"{name}.{part}", member, names - {part})


def _import(name: str, level: int, namespace: Mapping[str, Any]) -> Any:
    """The module that a function imports when it runs; None for what is not there, or is installed by its name."""
    if name and not level and is_installed(name):
        return None
    try:
        return importlib.import_module("." * level + name, namespace.get("__package__"))
    except Exception:  # whatever a user's module does where it is not wanted
        return None


@functools.lru_cache(maxsize=4096)
def _reads(code: types.CodeType) -> tuple[set[str], set[str], set[tuple[str, int]]]:
    """What code and all code inside it reads: names of globals, of anything else, modules with levels.

    A text may be the name of an attribute, too, for getattr().
    """
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    read = {step.argval for step in steps if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    others = (set(code.co_names) - read) | {part for part in code.co_consts if isinstance(part, str)}
    # Before IMPORT_NAME the level and the names of a from-import are loaded.
    imported = {
        (step.argval, steps[place - 2].argval) for place, step in enumerate(steps) if step.opname == "IMPORT_NAME"
    }
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            inner = _reads(part)
            read, others, imported = read | inner[0], others | inner[1], imported | inner[2]
    return read, others, imported
