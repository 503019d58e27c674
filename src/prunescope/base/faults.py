"""Errors of a user's code: what was tried, and the place in that code, in one line."""

import traceback
from collections.abc import Callable
from typing import TypeVar

from prunescope.base.code import is_installed
from prunescope.base.errors import PrunescopeError, UsageError

T = TypeVar("T")


def named(what: str, call: Callable[[], T]) -> T:
    """What the call returns. An error of the user's code becomes a UsageError that names the place in that code."""
    try:
        return call()
    except PrunescopeError:
        raise
    except Exception as problem:
        raise UsageError(f"{what} raises {type(problem).__name__}: {_first_line(problem)}{place(problem)}") from problem


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or ["(no message)"])[0]


def place(problem: BaseException) -> str:
    """File, line and text of the innermost frame in a user's code, for the end of a message; empty if there is none."""
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(problem.__traceback__)
        if not is_installed(frame.f_globals.get("__name__", "__main__"))
    ]
    if not frames:
        return ""
    frame, line = frames[-1]
    summary = traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name)
    return f' (in {summary.name}, "{summary.filename}", line {summary.lineno}: {summary.line or "?"})'
