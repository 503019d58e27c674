"""Shortcuts: attributes of a class that say the same as one of its methods, faster or in advance.

A subclass that overrides the method says something else, so the shortcut that it inherits no longer holds. It gets
the general one of the interface instead, which follows from the method.
"""

from collections.abc import Mapping


def settle(cls: type, shortcuts: Mapping[str, str]) -> None:
    """Replaces the shortcuts of `cls` that do not hold by those of the class that declares `shortcuts`.

    A shortcut holds if the class that defines it defines its method, too, or inherits it.

    shortcuts: the method by the name of the shortcut.

    Raises TypeError for a class that defines a method as a shortcut alone: only some engines would use it.
    """
    interface = next(base for base in cls.__mro__ if "shortcuts" in vars(base))
    for name, method in shortcuts.items():
        if _depth(cls, method) < _depth(cls, name):
            setattr(cls, name, vars(interface)[name])
        elif name in vars(cls) and callable(vars(cls)[name]) and method not in vars(cls):
            raise TypeError(
                f"{cls.__qualname__} overrides {name} and not {method}, of which {name} is only a faster form; "
                f"override {method}, or both (where it stays as it is: {method} = {cls.__mro__[1].__name__}.{method})"
            )


def _depth(cls: type, name: str) -> int:
    """How many classes stand before the one that defines an attribute."""
    return next(depth for depth, base in enumerate(cls.__mro__) if name in vars(base))
