"""How far the work is, and the interface of what shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkStatus:
    """How far the work is.

    seconds, seconds_left: on the clock, since it began and until it ends.
    running: for each busy worker, what it does and the share that is done of it.
    """

    runs_done: int
    runs: int
    readings_done: int
    readings: int
    seconds: float
    seconds_left: float
    running: dict[int, tuple[str, float]]
    failed: int


class Display:
    """Gets the status of the work while it is done; this one shows nothing."""

    def update(self, status: WorkStatus) -> None:
        """Called often."""

    def note(self, text: str) -> None:
        """Called with something worth a line."""

    def end(self) -> None:
        """Called once when no more will come."""
