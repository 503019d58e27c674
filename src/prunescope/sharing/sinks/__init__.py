"""Boards that show curves and results of stored runs, one file each, with a function `write(records, place)`.

It may get its records one by one as runs end. The board's name is that of the file; its package is imported inside the
function. Written again, a run takes its own place.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from prunescope.sharing.leaves import leaf, names
from prunescope.sharing.records import Record


def boards() -> list[str]:
    """The names of all boards."""
    return names(sys.modules[__name__])


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

    leaf(sys.modules[__name__], to).write(counted(), place)
    return count
