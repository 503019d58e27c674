"""The commands `list` and `show`: which studies there are, and the settings of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.overrides import as_word
from prunescope.cli.screen import answers, table
from prunescope.papers.catalogue import QUESTIONS, Entry, catalogue

if TYPE_CHECKING:
    from prunescope.base.value import Value


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
    """One row a paper: what it asks."""
    rows = table("paper", "studies", "question", "whole paper", right=("studies",))
    for paper in dict.fromkeys(map(_paper, entries)):
        own = [entry for entry in entries if _paper(entry) == paper]
        whole = own[0] if own[0].name == paper else None
        about = QUESTIONS.get(paper, own[0].question)
        cost = _default(whole or own[0]) if whole or len(own) == 1 else f"{_default(own[0])} for {own[0].name}"
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


Setting = tuple[str, object, str]
"""Dotted name, value as plain data, and what it is, as the docstring of its class says."""


def show(study: options.Study) -> None:
    """List the settings of a study, and their values at every scale. `-s NAME=VALUE` changes one.

    In place of "standard" stands what the benchmark has at a scale, unless it belongs to the network's training.

    Example: `prunescope show jin2022/lenet-preview`
    """
    from prunescope.cli.orders import template_of
    from prunescope.studies.precision import with_precision

    template, console = template_of(study), answers()
    scales = {scale: list(_at(scale, with_precision(value))) for scale, value in template.scales.items()}
    says = {name: text for settings in scales.values() for name, _, text in settings}
    values = {scale: {name: as_word(value) for name, value, _ in settings} for scale, settings in scales.items()}
    rows = table("setting", *scales, "what it is")
    for name, text in says.items():
        rows.add_row(*(Text(cell) for cell in (name, *(column.get(name, "") for column in values.values()), text)))
    console.print(rows)
    if "paper" in scales:
        console.print("\nScale paper: the paper's settings as far as it states them, proposed here where it does not.")
    console.print(Text(f"\nprunescope run {study} --scale {next(iter(template.scales))} -s NAME=VALUE"))


def _at(scale: str, settings: Value) -> Iterator[Setting]:
    """Every setting, with what the scale gives it in place of "standard"."""
    from prunescope.studies.load import sized

    given = {name: value for name, value, _ in settings_of(sized(settings, scale))}
    for name, value, says in settings_of(settings):
        yield name, given.get(name, value) if value == "standard" else value, says


def settings_of(value: Value, path: str = "") -> Iterator[Setting]:
    """Every setting of a value and of those inside it, in order."""
    from prunescope.base.value import Value
    from prunescope.runs.graph.nodes import describe

    for name in type(value).model_fields:
        inner, says = getattr(value, name), _meaning(type(value), name)
        if isinstance(inner, Value) and type(inner).model_fields:
            yield f"{path}{name}.kind", type(inner).__name__, says
            yield from settings_of(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}", describe(inner), says


def _meaning(cls: type[Value], name: str) -> str:
    """What the docstrings of a class and its bases say of a field, in lines "name: text"; empty if they do not."""
    pattern = re.compile(
        rf"^ *(?:\w+, )*{name}(?:, \w+)*: (.+?)(?=\n *(?:\w+, )*\w+: |\n\n|\Z)", re.MULTILINE | re.DOTALL
    )
    found = (pattern.search(base.__doc__ or "") for base in cls.__mro__)
    return next((" ".join(match[1].split()) for match in found if match), "")
