"""What people see while work is done: bars on a terminal or in a notebook, plain lines elsewhere."""

import html
import importlib
import sys
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from prunescope.runs.execution.status import Display, WorkStatus

LINE_SECONDS = 10.0


def display_on(console: Console) -> Display:
    """Bars on a terminal, a line now and then elsewhere."""
    return ProgressBars(console) if console.is_terminal else ProgressLines(console)


def default_display() -> Display:
    """What `ensure` shows by itself: bars in a notebook or on a terminal, nothing elsewhere."""
    if _in_notebook():
        return NotebookBars()
    return ProgressBars(Console(stderr=True, highlight=False)) if sys.stderr.isatty() else Display()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this, which draws what it is sent."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class NotebookBars(Display):
    """Redraws one bar below the cell, and prints notes."""

    def __init__(self) -> None:
        """Draws nothing before there is something to say."""
        self.handle: Any = None
        self.drawn = float("-inf")

    def update(self, status: WorkStatus) -> None:
        """Redraws, at most twice a second and at the end."""
        now = time.monotonic()
        is_last = (status.runs_done, status.readings_done) == (status.runs, status.readings)
        if now - self.drawn < 0.5 and not is_last:
            return
        self.drawn = now
        notebook = importlib.import_module("IPython.display")
        page = notebook.HTML(_html(status))
        if self.handle is None:
            self.handle = notebook.display(page, display_id=True)
        else:
            self.handle.update(page)

    def note(self, text: str) -> None:
        """Prints a line."""
        print(text)


def _html(status: WorkStatus) -> str:
    """A bar for everything, and what every busy worker does."""
    total = max(status.seconds + status.seconds_left, 1e-9)
    running = (f"{html.escape(name)} {100 * share:.0f} %" for name, share in status.running.values())
    working = "".join(f"<br><small>{text}</small>" for text in running)
    bar = f"<progress value='{status.seconds:.1f}' max='{total:.1f}'></progress>"
    return f"{bar} {html.escape(summary(status))}{working}"


class ProgressBars(Display):
    """Draws one bar for everything, and one for what each busy worker does, until the work ends."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`, from the first update on."""
        self.live = Live(console=console, transient=True, refresh_per_second=4)

    def update(self, status: WorkStatus) -> None:
        """Draws anew."""
        self.live.start()
        self.live.update(_bars(status))

    def note(self, text: str) -> None:
        """Prints a line above the bars."""
        self.live.console.print(text, markup=False, highlight=False)

    def end(self) -> None:
        """Leaves the terminal as it was."""
        self.live.stop()


class ProgressLines(Display):
    """Prints a line at most every ten seconds, for logs and pipes; none that says what the last one said."""

    def __init__(self, console: Console) -> None:
        """Prints to `console`."""
        self.console, self.printed, self.line = console, float("-inf"), ""

    def update(self, status: WorkStatus) -> None:
        """Prints a line if it is time for one."""
        now = time.monotonic()
        if now - self.printed >= LINE_SECONDS:
            running = "; ".join(f"{name} {100 * share:.0f} %" for name, share in status.running.values())
            if (line := f"{summary(status)}{': ' if running else ''}{running}") != self.line:
                self.printed, self.line = now, line
                self.note(line)

    def note(self, text: str) -> None:
        """Prints a line."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def summary(status: WorkStatus) -> str:
    """How far the work is, in one line."""
    parts = [f"{status.runs_done} of {status.runs} runs"] if status.runs else []
    parts += [f"{status.readings_done} of {status.readings} readings"] if status.readings else []
    parts += [f"{status.failed} failed"] if status.failed else []
    return ", ".join([*parts, f"{duration(status.seconds_left)} left"])


def duration(seconds: float) -> str:
    """A length of time for people.

    >>> duration(0.42), duration(20), duration(200), duration(8000)
    ('0.4 s', '20 s', '3 min 20 s', '2 h 13 min')
    """
    whole = max(0, round(seconds))
    if whole < 10:
        return f"{max(0.0, seconds):.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _bars(status: WorkStatus) -> RenderableType:
    everything = Table.grid(padding=(0, 1))
    total = status.seconds + status.seconds_left
    everything.add_row(ProgressBar(total=max(total, 1e-9), completed=status.seconds, width=30), summary(status))
    workers = Table.grid(padding=(0, 1))
    for _, (name, share) in sorted(status.running.items()):
        workers.add_row(ProgressBar(total=1.0, completed=share, width=30), f"{100 * share:3.0f} %", name)
    return Group(everything, workers)
