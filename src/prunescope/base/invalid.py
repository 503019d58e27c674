"""What pydantic refuses, in words: the field, the value given, what is permitted."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prunescope.base.errors import UsageError

SHOWN = 60
"""Most characters of a value in a message."""


class InvalidValue(UsageError, ValueError):
    """Fields that a value cannot have, one line each; `invalid` makes it of what pydantic raises."""

    problem: ValidationError | None = None


def invalid(problem: ValidationError, cls: type[BaseModel], path: str = "") -> InvalidValue:
    """The error with the field, the value given and what is permitted in each line.

    path: the dotted name of the value, with a dot at its end; by default its class.
    """
    errors = _plainest(problem.errors(include_url=False))
    found = InvalidValue("\n".join(_line(error, cls, path or f"{cls.__name__}.") for error in errors))
    found.problem = problem
    return found


def _line(error: ErrorDetails, cls: type[BaseModel], path: str) -> str:
    place = ".".join(str(part) for part in error["loc"] if isinstance(part, int) or part.isidentifier())
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return unknown_field(place, cls)
    if error["type"] == "missing":
        return f"{path}{place} is required; give it"
    says = error["msg"]
    says = says.removeprefix("Value error, ") if error["type"] == "value_error" else says[0].lower() + says[1:]
    if error["type"] == "string_pattern_mismatch" and ":" in error["ctx"]["pattern"]:
        says = "it must be an import path, 'package.module:Name'"
    if error["type"] == "model_type":
        wanted = error["ctx"]["class_name"]
        leaves = ", ".join(f"{leaf.__name__}(...)" for leaf in _named(wanted))
        hint = _hints(cls).get(place.partition(".")[0])
        says = hint or f"it must be a value of the class {wanted}" + (f": {leaves}" if leaves else "")
    shown = repr(error["input"])
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    return f"{path}{place}={shown}: {says}" if place else f"{path.rstrip('.')}: {says}"


def unknown_field(name: str, cls: type[BaseModel], *, kind: str = "field", owner: str = "") -> str:
    """The message about a field that a value does not have; name: dotted, kind: what it is called."""
    fields, last = list(cls.model_fields), name.rpartition(".")[2]
    close = difflib.get_close_matches(last, fields, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    hint = f"{_hints(cls)[last]}; " if last in _hints(cls) else hint
    return f"{name!r} is no {kind} of {owner or cls.__name__}; {hint}there are {', '.join(fields) or 'none'}"


def _hints(cls: type[BaseModel]) -> Mapping[str, str]:
    return getattr(cls, "field_hints", {})


def _named(name: str) -> list[type[Any]]:
    """The classes that can stand where a value of the class of this name is asked for, if there are others."""
    return [
        leaf
        for cls in descendants(BaseModel)
        if cls.__name__ == name
        for leaf in descendants(cls)
        if leaf.__name__[0] != "_"
    ]


def descendants(cls: type[Any]) -> Iterator[type[Any]]:
    """All classes below one."""
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def _plainest(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """The errors without those that only say that a value is not one of a field's special words as well."""
    special = [error["type"] == "literal_error" and not isinstance(error["input"], str) for error in errors]
    others = {error["loc"][:1] for error, is_special in zip(errors, special, strict=True) if not is_special}
    return [e for e, is_special in zip(errors, special, strict=True) if not is_special or e["loc"][:1] not in others]
