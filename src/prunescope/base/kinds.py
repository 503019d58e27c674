"""Values chosen by the name of their class: `{kind: AdamW, weight_decay: 0.1}` in place of an optimizer.

Only a leaf of the interface that the field has is a kind: one of prunescope's, or one of the study's own module.
"""

import difflib
import importlib
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.invalid import descendants
from prunescope.base.value import Value

KIND = "kind"


def import_all() -> None:
    """Imports the modules that define what the package makes public, so that its kinds are known."""
    public = importlib.import_module("prunescope")
    for name in public.__all__:
        getattr(public, name)


def kinds(interface: type[Value]) -> dict[str, type[Value]]:
    """The leaves of an interface by name."""
    import_all()
    leaves: dict[str, type[Value]] = {}
    for cls in descendants(interface):
        if cls.__name__.startswith("_") or inspect.isabstract(cls):
            continue
        other = leaves.setdefault(cls.__name__, cls)
        if other.__module__ != cls.__module__:
            raise UsageError(
                f"two classes are called {cls.__name__!r}, in {other.__module__} and {cls.__module__}; rename yours"
            )
        leaves[cls.__name__] = cls
    return leaves


def kind_of(name: object, interface: type[Value], path: str) -> type[Value]:
    """The leaf called `name`; a class with none below it is its own. Raises UsageError with those that there are.

    path: the dotted name of the field, for the message.
    """
    leaves = kinds(interface) or {interface.__name__: interface}
    if not isinstance(name, str) or name not in leaves:
        close = difflib.get_close_matches(str(name), leaves, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(
            f"{path}.kind={name!r} is no kind of {interface.__name__}; {hint}there are {', '.join(sorted(leaves))}"
        )
    return leaves[name]


def interfaces_of(annotation: Any) -> list[type[Value]]:
    """The values that a field of this type may hold, alone or in a tuple; none if it holds no value."""
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return [annotation]
    return [found for inner in typing.get_args(annotation) for found in interfaces_of(inner)]


def interface_of(annotation: Any) -> type[Value] | None:
    """The first of them; None if there is none."""
    return next(iter(interfaces_of(annotation)), None)


def has_kind(given: object) -> bool:
    """Whether plain data names the kind of a value, or of each of several."""
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(item, Mapping) and has_kind(item) for item in given)
    return isinstance(given, Mapping) and KIND in given
