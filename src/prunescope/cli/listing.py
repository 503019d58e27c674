"""The command `list`: which studies there are, a page of them, one paper, everything, or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.screen import answers, table
from prunescope.papers.catalogue import Entry, catalogue


def list_studies(
    name: Annotated[str, typer.Argument(metavar="[PAPER]", help="One paper (jin2022) or one study.")] = "",
    long: Annotated[bool, typer.Option("--long", help="Every study with its paper, figure, scales and cost.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """List the studies that ship with prunescope: papers, or the studies of one paper, with what they cost.

    A study of your own needs no place in this list: `prunescope run my_study.py`.

    Example: `prunescope list`, then `prunescope list jin2022`
    """
    entries = [entry for entry in catalogue() if not name or name in (entry.name, _paper(entry))]
    if not entries:
        papers = ", ".join(dict.fromkeys(map(_paper, catalogue())))
        raise UsageError(f"there is no paper or study {name!r}; there is {papers}, and what `prunescope list` shows")
    if as_json:
        answers().print_json(json.dumps([asdict(entry) for entry in entries]))
    elif long or any(entry.name == name != _paper(entry) for entry in entries):
        _print_long(entries)
    elif name:
        _print_studies(entries)
    else:
        _print_papers(entries)


def _paper(entry: Entry) -> str:
    return entry.name.partition("/")[0]


def _print_papers(entries: Sequence[Entry]) -> None:
    """One row a paper: what its whole study asks, or its title."""
    rows = table("paper", "studies", "question", "whole paper", right=("studies",))
    for paper in dict.fromkeys(map(_paper, entries)):
        own = [entry for entry in entries if _paper(entry) == paper]
        whole = own[0] if own[0].name == paper else None
        about, cost = (whole.question, _default(whole)) if whole else (own[0].paper or own[0].question, "")
        rows.add_row(*(Text(cell) for cell in (paper, str(len(own)), about, cost)))
    console = answers()
    console.print(rows)
    console.print(
        Text("\n`prunescope list PAPER` shows its studies, `--long` everything; `prunescope plan STUDY` prices")
    )


def _print_studies(entries: Sequence[Entry]) -> None:
    rows = table("study", "question", "cost")
    for entry in entries:
        rows.add_row(*(Text(cell) for cell in (entry.name, entry.question, _default(entry))))
    answers().print(rows)


def _default(entry: Entry) -> str:
    """What the scale costs that is run unless another is asked for."""
    scale = "laptop" if "laptop" in entry.scales else next(iter(entry.scales))
    return f"{scale}: {entry.scales[scale].removesuffix(' on 2 cores')}"


def _print_long(entries: Sequence[Entry]) -> None:
    console = answers()
    for entry in entries:
        console.print(Text(entry.name, style="bold"))
        console.print(Text(f"  {entry.question}"))
        for line in filter(None, (entry.paper, entry.figure)):
            console.print(Text(f"  {line}", style="dim"))
        for scale, price in entry.scales.items():
            console.print(Text(f"  --scale {scale:<7} about {price}"))
        console.print()
