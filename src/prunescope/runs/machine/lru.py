"""The most recently used values, kept in memory."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LRU(Generic[T]):
    """At most `size` values by key; the one that was not used for longest goes first."""

    def __init__(self, size: int) -> None:
        """Starts empty."""
        self.size = size
        self.values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value under `key`, made if it is not kept."""
        if key not in self.values:
            self.values[key] = make()
            if len(self.values) > self.size:
                self.values.popitem(last=False)
        self.values.move_to_end(key)
        return self.values[key]
