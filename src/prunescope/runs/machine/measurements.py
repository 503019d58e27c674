"""What was measured on this machine, kept in the store so that it is measured once."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Generic, TypeVar

from prunescope.base.errors import PrunescopeError
from prunescope.runs.store.store import Store

T = TypeVar("T")


class Measurements(Generic[T]):
    """Values of a dataclass by key, in one JSON file of the store."""

    def __init__(self, store: Store, name: str, kind: Callable[..., T]) -> None:
        """Reads the file `name`, if there is one. kind: makes a value from its fields."""
        self.store, self.path = store, f"prices/{name}.json"
        stored = store.read_json(self.path) or {}
        self.known: dict[str, T] = {}
        for key, fields in stored.items() if isinstance(stored, dict) else ():
            with contextlib.suppress(TypeError):  # of a version with other fields: it is measured again
                self.known[key] = kind(**fields)

    def get(self, key: str, measure: Callable[[], T], *, failed: T) -> T:
        """The value under `key`, measured and stored if it is not known.

        failed: what a user's network counts as if it raises an error; the run itself will meet that error and say so.
        """
        if key not in self.known:
            try:
                self.known[key] = measure()
            except PrunescopeError:
                raise
            except Exception:
                return failed
            self.add({})
        return self.known[key]

    def add(self, values: Mapping[str, T]) -> None:
        """Stores values, in the place of earlier ones of the same key."""
        self.known |= values
        if self.known:
            content: dict[str, Any] = {name: asdict(value) for name, value in self.known.items()}  # type: ignore[call-overload]
            self.store.write_json(self.path, content)
