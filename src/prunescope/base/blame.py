"""Whose code an error comes from.

An error inside a user's network, loss, data, measure or study is reported with the user's own line: the last frame of
the traceback that belongs neither to prunescope nor to an installed package.
"""

import contextlib
import traceback
from collections.abc import Iterator

import torch
from pydantic import ValidationError

from prunescope.base.errors import PrunescopeError, UserCodeError
from prunescope.base.installed import in_library, is_installed, is_shipped


@contextlib.contextmanager
def blaming(what: str = "", *, always: bool = False) -> Iterator[None]:
    """Turns an error of code that a user wrote into a UserCodeError that shows the user's own line or module.

    what: what was being done, the beginning of the message.
    always: whether nothing but what the user gave runs in the block, so that an error without such a line is its, too.

    Errors of prunescope itself, and those that no code of a user has a part in, pass through.
    """
    try:
        yield
    except (PrunescopeError, ValidationError):
        raise
    except Exception as problem:
        if not (always or place_of(problem)):
            raise
        raise UserCodeError(": ".join(filter(None, (what, explain(problem))))) from problem


def explain(problem: BaseException) -> str:
    """An error in one line: its class, the first line of its message, and where in the user's code it arose."""
    message = problem.msg if isinstance(problem, SyntaxError) else str(problem).strip()
    text = f"{type(problem).__name__}: {message.partition(chr(10))[0]}".rstrip(": ")
    place = place_of(problem)
    return f"{text} ({place})" if place else text


def place_of(problem: BaseException) -> str:
    """The user's line at which an error arose (file, number, text), or the module of a network without such a line.

    Empty where no user's code has a part in it. The callers of prunescope have none: only what it called counts.
    """
    return _line_of(problem) or _module_of(problem)


def _line_of(problem: BaseException) -> str:
    if isinstance(problem, SyntaxError) and problem.filename:
        return _place(problem.filename, problem.lineno, problem.text)
    ours = False
    place = ""
    for frame, number in traceback.walk_tb(problem.__traceback__):
        name = str(frame.f_globals.get("__name__", "__main__"))
        if is_shipped(name):
            ours = True
        elif ours and not (is_installed(name) or in_library(frame.f_code.co_filename)):
            summary = traceback.FrameSummary(frame.f_code.co_filename, number, frame.f_code.co_name)
            place = _place(summary.filename, number, summary.line)
    return place


def _place(file: str, number: int | None, text: str | None) -> str:
    return f"{file}, line {number}: {(text or '').strip()}".removesuffix(": ")


def _module_of(problem: BaseException) -> str:
    """The innermost module that was running, unless it is one of prunescope's own; empty if there is none."""
    module = None
    for frame, _ in traceback.walk_tb(problem.__traceback__):
        running = frame.f_locals.get("self")
        module = running if isinstance(running, torch.nn.Module) else module
    if module is None or is_shipped(module):
        return ""
    return f"in {repr(module).splitlines()[0]}"
