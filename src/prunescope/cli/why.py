"""The command that leads from a printed number to what it was made from."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.cli import options
from prunescope.cli.screen import answers

if TYPE_CHECKING:
    from prunescope.studies.numbers import Stored
    from prunescope.studies.study import Study

MOST = 5
"""Places that are shown of one number, and runs that are named."""


def why(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="The folder of a report, with its summary.json.")],
    what: Annotated[str, typer.Argument(metavar="NUMBER", help="A number as it is printed, or the name of a claim.")],
    folder: options.StoreFolder = options.STORE,
) -> None:
    """Say where a printed number comes from: claim or table, readings, runs, versions, command. Trains nothing.

    Example: `prunescope why docs/results/jin2022/lenet 7.47`
    """
    from prunescope.studies.numbers import homes, record_of, summary_of

    summary, (command, cost) = summary_of(report), record_of(report)
    claims = {claim["name"]: claim for claim in summary["claims"]}
    lines = list(_claim(claims[what], summary.get("rule"))) if what in claims else []
    try:
        found = [] if what in claims else homes(report, what)
    except UsageError as problem:
        raise UsageError(f"{problem}: {', '.join(claims) or 'this report makes none'}") from problem
    if not lines and not found:
        raise UsageError(
            f"{what} stands nowhere in {report}; `prunescope why {report} CLAIM` knows {', '.join(claims)}"
        )
    study, obstacle = _study(report, summary, command)
    for places in ([what],) if what in claims else _by_place(found):
        lines += _places(places, claims, summary.get("rule")) if what not in claims else []
        lines += _origin(study, places, folder) if study else []
    console = answers()
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    hidden = len(_by_place(found, everything=True)) - MOST
    versions = [f"{name.removeprefix('versions.')} {v}" for name, v in cost.items() if name.startswith("versions")]
    facts = {
        "also": f"in {hidden} other places" if hidden > 0 else "",
        "study": ", ".join(filter(None, (summary["study"], summary["scale"]))),
        "made by": ", ".join([*versions, f"on {cost.get('machine')}"])
        if versions
        else "versions that were not recorded",
        "again": command,
        "readings": obstacle,
    }
    for name, fact in facts.items():
        if fact:
            console.print(Text(f"{name:9} {fact}"), soft_wrap=True)


def _by_place(found: list[Stored], *, everything: bool = False) -> list[list[Stored]]:
    """Numbers by what they belong to, claims first; the few that are shown, or everything."""
    groups: dict[tuple[str, str], list[Stored]] = {}
    for stored in sorted(found, key=lambda one: (not one.claim, "over replicates" not in one.place)):
        groups.setdefault((stored.claim, stored.figure or stored.place), []).append(stored)
    return list(groups.values())[: None if everything else MOST]


def _claim(claim: dict[str, Any], rule: str | None) -> Iterator[str]:
    yield f"claim {claim['name']}: {claim['says']}"
    yield f"  basis {': '.join(filter(None, (claim['basis'], claim['place'])))}"
    if claim["estimate"] is not None:
        ends = f"{_shown(claim['estimate'])} [{_shown(claim['low'])}, {_shown(claim['high'])}]"
        level, n = f"{100 * claim['level']:.4g} % interval", f"n = {claim['n']} {claim['over']}"
        yield f"  estimate {ends} {claim['unit']}, {level}, {n}"
    if values := claim["values"]:
        yield f"  of the values {', '.join(map(_shown, values))}"
    by_paper = f", {claim['by_paper']} by {rule}" if rule and claim["by_paper"] else ""
    yield f"  {claim['said']} by the interval rule{by_paper}"


def _shown(value: float | None) -> str:
    """A number of a report, where null stands for one that is not finite."""
    from prunescope.studies.numbers import number

    return "none" if value is None else number(value)


def _places(places: Any, claims: dict[str, Any], rule: str | None) -> Iterator[str]:
    first: Stored = places[0]
    if first.claim and first.claim in claims:
        yield from _claim(claims[first.claim], rule)
    elif first.figure:
        more = f", and {len(places) - 1} more cells" if len(places) > 1 else ""
        labels = ", ".join(f"{name} {cell}" for name, cell in list((first.row or {}).items())[:8] if cell)
        yield f"figure {first.figure}: {first.value:.6g} is {first.place} of {first.file}{more}"
        yield f"  where {labels}"
    else:
        yield f"{first.place} in {first.file}: {first.value:.6g}"


def _study(report: Path, summary: dict[str, Any], command: str) -> tuple[Study | None, str]:
    """The study with its settings of then, or why the code of today cannot build it."""
    from prunescope.cli.orders import template_of
    from prunescope.studies.null_world import null_world

    if command and command.split()[:2] not in (["prunescope", "run"], ["prunescope", "explain"]):
        return None, "are named by the command that made the report, which no study builds"
    try:
        _, verb, name, *words = shlex.split(command)
        if verb == "explain" and not name.endswith(".py"):
            name = "prunescope.explain.study"
        if report.resolve() in Path(name).resolve().parents:
            return None, f"cannot be named: {name} came with the report, and may be anything; put it elsewhere"
        study = template_of(name).again(words[words.index("--scale") + 1], summary["settings"])
    except (PrunescopeError, ValueError, IndexError) as problem:
        first = str(problem).split("\n")[0].removesuffix(" Published at")
        return None, f"cannot be named, because the study cannot be built here: {first}" if command else ""
    return (null_world(study) if "--null" in words else study), ""


def _origin(study: Study, places: Any, folder: str) -> Iterator[str]:
    """Readings and runs of a claim or a figure, and how many of the runs the store holds."""
    from prunescope.runs.graph.nodes import runs_of
    from prunescope.runs.store.store import Store

    first: Stored | str = places[0]
    if claim := first if isinstance(first, str) else first.claim:
        nodes: Iterable[Any] = next((c.nodes for c in study.claims if c.name == claim), ())
    else:
        cells = set((places[0].row or {}).values())
        figure = next((f for f in study.figures if f.name == places[0].figure), None)
        curves = figure.lineage if figure else {}
        chosen = [runs for curve, runs in curves.items() if cells & set(curve.split("; "))] or list(curves.values())
        nodes = [run for runs in chosen for run in runs]
    runs = {run.id: run for node in nodes for run in runs_of(node)}
    kinds = Counter(type(getattr(node, "of", node)).__name__ for node in nodes if node.id not in runs)
    if kinds:
        yield f"  readings {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"
    if runs:
        there = options.is_store(folder)
        held = sum(Store(folder).manifest(run) is not None for run in runs) if there else 0
        store = f"{held} of them in {folder}" if there else f"there is no store at {folder}"
        more = ", ..." if len(runs) > MOST else ""
        yield f"  runs     {len(runs)}: {', '.join(run[:12] for run in list(runs)[:MOST])}{more} ({store})"
        if held:
            yield "  each     `prunescope runs show ID`"
