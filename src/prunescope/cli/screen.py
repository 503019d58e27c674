"""The two streams of the command line: answers on stdout, everything else on stderr; tables and sizes."""

from rich.console import Console
from rich.table import Table

WIDE = 160
"""Columns where there is no terminal, so that a pipe gets whole lines."""


def answers() -> Console:
    """Where a command's answer goes."""
    return _console(stderr=False)


def messages() -> Console:
    """Where progress and problems go."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDE)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table with a light frame; right: columns of numbers."""
    empty = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        empty.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return empty


def size(count: float) -> str:
    """A number of bytes for people.

    >>> size(512), size(2_300_000)
    ('512 B', '2.3 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
