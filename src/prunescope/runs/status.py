"""How far the work is, and who is told.

Belongs here: the record and the interface. Does not belong here: how it looks (`display.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """How far the work is. running: for each busy worker, what it does and the share done of it."""

    runs_done: int
    runs: int
    readings_done: int
    readings: int
    seconds: float
    seconds_left: float
    running: dict[int, tuple[str, float]]
    failed: int


class Display:
    """What is told of progress; this one says nothing."""

    def update(self, status: Status) -> None:
        """Told often."""

    def note(self, text: str) -> None:
        """Told of something worth a line."""
