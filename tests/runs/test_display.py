"""What people see while work is done."""

import io
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from prunescope.runs.execution import display
from prunescope.runs.execution.display import ProgressBars, ProgressLines, WorkStatus, default_display, display_on

STATUS = WorkStatus(
    runs_done=3,
    runs=12,
    readings_done=4,
    readings=24,
    seconds=60.0,
    seconds_left=200.0,
    running={0: ("LeNet, level 2, seed 1 (abcd)", 0.5), 1: ("Risk of 1234", 0.0)},
    failed=1,
)
PARTS = ("3 of 12 runs", "4 of 24 readings", "1 failed", "3 min 20 s left", "level 2, seed 1", "50 %")


def test_a_terminal_gets_bars() -> None:
    out = io.StringIO()
    screen = display_on(Console(file=out, force_terminal=True, width=120))
    assert isinstance(screen, ProgressBars) and out.getvalue() == ""
    screen.update(STATUS)
    screen.note("run [bold]x[/bold] failed")
    screen.end()
    screen.end()
    assert out.getvalue().endswith("\x1b[2K")  # the terminal is as it was
    assert all(part in out.getvalue() for part in PARTS)
    assert "run [bold]x[/bold] failed" in out.getvalue()


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    screen = display_on(Console(file=out, width=80))
    assert isinstance(screen, ProgressLines)
    for second in range(60):
        screen.update(replace(STATUS, seconds_left=200.0 - min(second, 20)))
        now[0] += 1.0
    lines = out.getvalue().splitlines()
    assert len(lines) == 3  # after 20 s nothing is new
    assert all(part in lines[0] for part in PARTS)


def test_a_notebook_gets_one_bar_that_is_redrawn(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pages: list[str] = []
    handle = SimpleNamespace(update=lambda page: pages.append(page))
    module = SimpleNamespace(HTML=str, display=lambda page, display_id: pages.append(page) or handle)
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()), display=module)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    screen = default_display()
    screen.update(STATUS)
    screen.update(STATUS)  # too soon to be drawn
    screen.update(replace(STATUS, runs_done=STATUS.runs, readings_done=STATUS.readings))  # the end is
    screen.note("run x failed")
    screen.end()
    assert len(pages) == 2
    assert all(part in pages[0] for part in PARTS) and "<progress" in pages[0]
    assert capsys.readouterr().out == "run x failed\n"


def test_a_log_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(default_display()) is display.Display
