"""Curves and results of stored runs on a board."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from prunescope.sharing import sinks
from prunescope.sharing.leaves import leaf, names
from prunescope.sharing.records import Record


def boards() -> list[str]:
    """The names of all boards."""
    return names(sinks)


def write(records: Iterable[Record], to: str, place: Path) -> int:
    """Writes runs to the board `to` as they come; returns how many.

    place: a folder of the board's own. Raises UsageError for another board, and for a package that is not installed.
    """
    count = 0

    def counted() -> Iterator[Record]:
        nonlocal count
        for record in records:
            yield record
            count += 1

    leaf(sinks, to).write(counted(), place)
    return count
