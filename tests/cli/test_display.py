"""What people see while work is done."""

import io

import pytest
from rich.console import Console

from prunescope.cli import display
from prunescope.cli.display import ProgressBars, ProgressLines, WorkStatus, shown

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
    with shown(Console(file=out, force_terminal=True, width=120)) as screen:
        assert isinstance(screen, ProgressBars)
        screen.update(STATUS)
        screen.note("run [bold]x[/bold] failed")
    assert all(part in out.getvalue() for part in PARTS)
    assert "run [bold]x[/bold] failed" in out.getvalue()


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    with shown(Console(file=out, width=80)) as screen:
        assert isinstance(screen, ProgressLines)
        for _ in range(21):
            screen.update(STATUS)
            now[0] += 1.0
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert all(part in lines[0] for part in PARTS)
