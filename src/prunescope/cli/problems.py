"""Every problem as a message and an exit code, never as a traceback.

Belongs here: the one place where errors end. Does not belong here: raising them.
"""

import contextlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.cli.screen import messages

INTERRUPTED = 130
NOBODY_READS = 1
"""As Python itself exits when the reader of a pipe is gone."""


class Commands(TyperGroup):
    """A group of commands whose problems are told in a few lines; with --debug they are raised instead."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command and turns what it raises into an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            tell("stopped; everything reached is stored, the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # `prunescope list | head`: there is nobody left to tell
            _close_output()
            raise typer.Exit(NOBODY_READS) from None
        except Exception as problem:
            # Exits and wrong options are typer's own; it prints those itself.
            if ctx.params.get("debug") or type(problem).__module__.startswith(("typer.", "click.")):
                raise
            text, code = described(problem)
            tell(text)
            raise typer.Exit(code) from None


def described(problem: Exception) -> tuple[str, int]:
    """What to say of a problem, and the exit code: 2 for usage, 130 for Ctrl-C, 1 for everything else."""
    from pydantic import ValidationError  # here, because `prunescope list` has to answer at once

    if isinstance(problem, PrunescopeError):
        return str(problem), problem.exit_code
    if isinstance(problem, ValidationError):
        from prunescope.studies.load import explained

        return explained(problem), UsageError.exit_code
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {problem.strerror}", 1
    return (
        f"unexpected {type(problem).__name__}: {problem}\n"
        "This is a defect in prunescope or in the study's own code; `prunescope --debug ...` shows where",
        1,
    )


def _close_output() -> None:
    """Sends what is still buffered nowhere, so that flushing it at the end fails no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        with contextlib.suppress(OSError, ValueError):  # no file behind it, as in a notebook
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def tell(text: str) -> None:
    """Prints a problem to stderr."""
    console = messages()
    console.print("prunescope: ", style="bold red", end="")
    console.print(text, markup=False, soft_wrap=True)
