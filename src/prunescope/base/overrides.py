"""What methods that a user wrote are held to: they can be called as those that they stand for, and keep nothing."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter

from prunescope.base.errors import UsageError


def check_overrides(cls: type, root: type) -> None:
    """Raises TypeError for a method that cannot take what a method of its name in a base class, up to `root`, takes."""
    for name, method in vars(cls).items():
        if not inspect.isfunction(method) or name.startswith("__"):
            continue
        bases = (base for base in cls.__mro__[1:] if issubclass(base, root))
        inherited = next((vars(base)[name] for base in bases if inspect.isfunction(vars(base).get(name))), None)
        if inherited is None:
            continue
        taken, given = inspect.signature(inherited), inspect.signature(method)
        places = [p for p in taken.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        named = {p.name: p for p in taken.parameters.values() if p.kind is Parameter.KEYWORD_ONLY}
        try:
            given.bind(*places, **named)
        except TypeError as problem:
            wanted = inspect.Signature([p.replace(annotation=Parameter.empty) for p in taken.parameters.values()])
            raise TypeError(
                f"{cls.__name__}.{name}{given} cannot be called ({problem}); write def {name}{wanted}"
            ) from None


@contextmanager
def unchanged(value: object) -> Iterator[None]:
    """Raises UsageError where the block, a method that a user wrote, changes what a field of the value holds."""
    before = repr(value)
    yield
    if repr(value) != before:
        raise UsageError(
            f"{before} became {value!r}, and what it says next would depend on what it was asked before; change no "
            "list and no dictionary in a field"
        )
