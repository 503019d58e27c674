"""Every problem as a message and an exit code, never as a traceback."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from prunescope.base.errors import PrunescopeError, refused
from prunescope.cli.screen import messages

CANNOT = PrunescopeError.exit_code
INTERRUPTED = 130
PIPE_CLOSED = 141
"""As a shell says of a process that SIGPIPE ended."""


class Commands(TyperGroup):
    """A group of commands whose problems are printed in a few lines; with --debug they are raised instead."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Reads the words of the command line, which can be stopped, too."""
        with _stoppable():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Runs a command and turns what it raises into an exit code."""
        try:
            with _stoppable():
                return super().invoke(ctx)
        except BrokenPipeError:  # `prunescope list | head`: nobody reads a message
            _close_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except Exception as problem:
            # Exits and wrong options are typer's own; it prints those itself.
            if type(problem).__module__.startswith(("typer.", "click.")):
                _hint_at_settings(problem)
                raise
            if ctx.params.get("debug"):
                raise
            print_problem(_message(problem))
            raise typer.Exit(getattr(problem, "exit_code", CANNOT)) from None


def _hint_at_settings(problem: Any) -> None:
    """Says that settings are no options where a command takes both: `run --replicates 3`."""
    if type(problem).__name__ != "NoSuchOption" or problem.ctx is None:
        return
    if any("--set" in option.opts for option in problem.ctx.command.params):
        name = problem.option_name.lstrip("-").replace("-", "_")
        setting = f"-s {name}=VALUE where the study has such a setting"
        problem.possibilities = [*(problem.possibilities or ()), setting]


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print_problem("stopped; everything reached is stored, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None


def _message(problem: Exception) -> str:
    if isinstance(problem, PrunescopeError):
        return str(problem)
    from prunescope.base.blame import explain, place_of

    if place_of(problem):
        return f"{explain(problem)}; `prunescope --debug ...` shows the whole traceback"
    if isinstance(problem, OSError) and problem.strerror:
        place = f"{problem.filename}: " if problem.filename else ""
        return f"{place}{refused(problem)}"
    return (
        f"unexpected {type(problem).__name__}: {problem}\n"
        "This is a defect in prunescope or in the study's own code; `prunescope --debug ...` shows where"
    )


def _close_output() -> None:
    """Sends what is still buffered to the null device, so that flushing it at the end does not fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        with contextlib.suppress(OSError, ValueError):  # no file behind it, as in a notebook
            os.dup2(null, stream.fileno())
    os.close(null)


def print_problem(text: str) -> None:
    """Prints a problem to stderr."""
    console = messages()
    console.print("prunescope: ", style="bold red", end="")
    console.print(text, markup=False, soft_wrap=True)
