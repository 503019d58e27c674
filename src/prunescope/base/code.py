"""The digest of code that a user wrote: what tells an edited function, class or notebook cell from the one before.

A name says where code is, not what it computes: a cell that is run again, a changed global or another closure value
keeps the name. So the digest covers, of everything that is not part of an installed package,

- the source of functions and of all methods of classes, without comments, docstrings and layout, or the bytecode where
  the source is not at hand or is no longer what runs;
- defaults, closure values, and the globals that are read, functions and classes followed to the end.

What is installed is named, not read: it has a version of its own.
"""

import ast
import dis
import functools
import importlib
import inspect
import linecache
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from prunescope.base.digest import array_digest, text_digest
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


_GENERATED = (
    "__dict__",
    "__weakref__",
    "__module__",
    "__qualname__",
    "__doc__",
    "__annotations__",
    "__firstlineno__",
    "__slotnames__",  # which copying an instance adds
)
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), range)


def code_digest(target: object) -> str | None:
    """32 hexadecimal digits of all code that a user wrote behind a function, class or object; None if there is none."""
    walk = _Walk()
    lines = list(walk.describe(target))
    return text_digest("\n".join(lines)) if walk.written else None


def value_digest(target: object, known: Sequence[object] = ()) -> str:
    """32 hexadecimal digits of all that an object holds and computes: code, attributes, tensors and their sharing.

    known: what is not looked into where the object holds it.
    """
    return text_digest("\n".join(_Walk(known).describe(target)))


class _Walk:
    """One pass over everything that a piece of code reads; `written` says whether any of it is a user's."""

    def __init__(self, known: Sequence[object] = ()) -> None:
        self.written = False
        # Keeps the objects, so that no id is used twice.
        self._seen: dict[int, tuple[int, object]] = dict(zip(map(id, known), enumerate(known), strict=True))

    def describe(self, value: Any) -> Iterator[str]:
        """Lines that differ where what is computed may differ."""
        if isinstance(value, _PLAIN):
            yield repr(value)
        elif isinstance(value, torch.Tensor) and value.is_meta:
            yield f"tensor without numbers {value.dtype} {tuple(value.shape)}"
        elif isinstance(value, np.ndarray) and value.dtype.hasobject:
            yield f"array of objects {value.shape}"
            yield from self.describe(value.tolist())
        elif isinstance(value, torch.Tensor | np.ndarray):
            yield f"array {array_digest(value)}"
        elif isinstance(value, types.ModuleType):
            yield f"module {value.__name__}"
        elif id(value) in self._seen:
            yield f"again {self._seen[id(value)][0]}"
        else:
            self._seen[id(value)] = (len(self._seen), value)
            yield from self._describe_once(value)

    def _describe_once(self, value: Any) -> Iterator[str]:
        if isinstance(value, types.FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, staticmethod | classmethod):
            yield from self.describe(value.__func__)
        elif isinstance(value, property | functools.cached_property):
            parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value.func,)
            yield from self._all(part for part in parts if part is not None)
        elif isinstance(value, types.MethodType):
            yield from self._all((value.__func__, value.__self__))
        elif isinstance(value, functools.partial):
            yield from self._all((value.func, value.args, value.keywords))
        elif isinstance(value, Mapping | list | tuple) and not is_installed(type(value).__module__):
            yield from self._object(value)
            yield from self._all(value.items() if isinstance(value, Mapping) else list(value))
        elif isinstance(value, Mapping):
            yield f"mapping {len(value)}"
            yield from self._all(part for item in value.items() for part in item)
        elif isinstance(value, list | tuple):
            yield f"{type(value).__name__} {len(value)}"
            yield from self._all(value)
        elif isinstance(value, set | frozenset):
            yield f"set {sorted(map(repr, value))}"
        elif hasattr(value, "__wrapped__") and is_installed(type(value).__module__):
            yield from self.describe(value.__wrapped__)
        elif isinstance(value, types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType):
            yield f"builtin {value.__qualname__}"
        else:
            yield from self._object(value)

    def _all(self, values: Iterable[Any]) -> Iterator[str]:
        for value in values:
            yield from self.describe(value)

    def _function(self, function: types.FunctionType) -> Iterator[str]:
        if is_installed(function.__module__ or "__main__"):
            yield f"function {function.__module__}:{function.__qualname__}"
            return
        self.written = True
        yield _text(function.__code__)
        yield from self._all((function.__defaults__, function.__kwdefaults__))
        yield from self._all(_closure(function))
        yield from self._all(item for item in sorted(vars(function).items()) if item[0][0] != "_")
        for name, value in globals_read(function.__code__, function.__globals__):
            yield name
            yield from self.describe(value)

    def _class(self, cls: type) -> Iterator[str]:
        yield f"class {cls.__qualname__}"
        if is_installed(cls.__module__):
            yield cls.__module__
            return
        self.written = True
        yield from self._all(cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name not in _GENERATED and not name.startswith(("__pydantic", "_abc_", "__class_vars", "__private")):
                if isinstance(value, types.FunctionType) and is_installed(value.__module__):
                    continue  # what a decorator or a metaclass put there
                yield name
                yield from self.describe(value)

    def _object(self, value: Any) -> Iterator[str]:
        """An instance: its class and what it holds; what cannot be looked into is named by its class."""
        yield from self.describe(type(value))
        if isinstance(value, torch.nn.Module):
            yield from self._module(value)
        elif not is_installed(type(value).__module__) and hasattr(value, "__dict__"):
            yield from self.describe(vars(value))
        else:
            yield from self._reduced(value)

    def _module(self, module: torch.nn.Module) -> Iterator[str]:
        """What a module holds: hooks without the numbers that torch gives them; which tensors train and are shared."""
        for name, part in vars(module).items():
            yield name
            if name in ("_parameters", "_buffers"):
                for key, leaf in part.items():
                    yield key
                    yield from self._leaf(leaf)
            elif "_hooks" in name and isinstance(part, Mapping):
                yield from self._all(part.values())
            else:
                yield from self.describe(part)

    def _leaf(self, leaf: torch.Tensor | None) -> Iterator[str]:
        if leaf is None or id(leaf) in self._seen:
            yield "none" if leaf is None else f"again {self._seen[id(leaf)][0]}"
            return
        self._seen[id(leaf)] = (len(self._seen), leaf)
        lazy = isinstance(leaf, torch.nn.UninitializedParameter | torch.nn.UninitializedBuffer)
        yield f"tensor {'lazy' if lazy else array_digest(leaf)} {leaf.requires_grad}"

    def _reduced(self, value: Any) -> Iterator[str]:
        """What an installed object says of itself when it is pickled."""
        try:
            parts = value.__reduce_ex__(4)
        except Exception:  # anything may be raised by what does not want to be pickled
            yield "(not looked into)"
            return
        if isinstance(parts, tuple):
            yield from self._all(part if index < 3 or part is None else list(part) for index, part in enumerate(parts))
        else:
            yield str(parts)


def _closure(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a name that is not bound yet
            yield None


@functools.lru_cache(maxsize=4096)
def _text(code: types.CodeType) -> str:
    """The source of a function without comments, docstrings and layout; its bytecode where source and code differ."""
    linecache.checkcache(code.co_filename)
    # The source of a lambda is that of its whole line, which may have several.
    if code.co_name != "<lambda>" and code in _codes_of(
        code.co_filename, "".join(linecache.getlines(code.co_filename))
    ):
        try:
            node = ast.parse(textwrap.dedent(inspect.getsource(code)))
            return ast.unparse(_without_docstrings(node))
        except (OSError, TypeError, SyntaxError):
            pass
    return _bytecode(code)


@functools.lru_cache(maxsize=64)
def _codes_of(file: str, text: str) -> frozenset[types.CodeType]:
    """Every piece of code that a source text compiles to; none where it is no plain Python."""
    try:
        pending = [compile(text, file, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return frozenset()
    codes: set[types.CodeType] = set()
    while pending:
        code = pending.pop()
        codes.add(code)
        pending.extend(part for part in code.co_consts if isinstance(part, types.CodeType))
    return frozenset(codes)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _bytecode(code: types.CodeType) -> str:
    constants = [_bytecode(part) if isinstance(part, types.CodeType) else repr(part) for part in code.co_consts]
    return " ".join([code.co_code.hex(), *constants, *code.co_names, *code.co_varnames])
