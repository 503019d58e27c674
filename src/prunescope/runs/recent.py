"""A few things kept in memory, the most recently used.

Belongs here: the container. Does not belong here: what is kept (`workbench.py`).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The few most recently used things, by key."""

    def __init__(self, size: int) -> None:
        """Holds at most `size`."""
        self.size = size
        self.things: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The thing under `key`, made if it is not there."""
        if key not in self.things:
            self.things[key] = make()
            if len(self.things) > self.size:
                self.things.popitem(last=False)
        self.things.move_to_end(key)
        return self.things[key]
