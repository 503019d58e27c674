"""Commands on studies: list, plan, run, report.

Belongs here: arguments in, tables out. Does not belong here: how any of it is done.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from prunescope.cli import options
from prunescope.cli.overrides import gather
from prunescope.cli.problems import print_problem
from prunescope.cli.screen import answers, messages, size, table

if TYPE_CHECKING:
    from prunescope.runs.store.plan import Plan
    from prunescope.runs.store.store import Store
    from prunescope.studies.load import Template
    from prunescope.studies.publish import Published
    from prunescope.studies.study import Study


def list_studies() -> None:
    """List the studies that ship with prunescope: question, paper, scales and what they cost.

    A study of your own needs no place in this list: `prunescope run my_study.py`.
    """
    from prunescope.papers.catalogue import catalogue

    console = answers()
    for entry in catalogue():
        console.print(Text(entry.name, style="bold"))
        console.print(Text(f"  {entry.question}"))
        for line in filter(None, (entry.paper, entry.figure)):
            console.print(Text(f"  {line}", style="dim"))
        for scale, price in entry.scales.items():
            console.print(Text(f"  --scale {scale:<7} about {price}"))
        console.print()


def plan(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    workers: options.Workers = None,
    device: options.Device = "cpu",
    engine: options.Engine = None,
    stack: options.Stack = None,
) -> None:
    """Say what a study needs, what is stored, and what the rest will cost. Trains nothing.

    The cost is measured: a few steps of each kind of run, for less than a second.

    Example: `prunescope plan jin2022/lenet-preview --scale paper -s replicates=5`
    """
    from prunescope.runs.store.plan import plan as plan_of
    from prunescope.runs.store.store import Store
    from prunescope.studies.publish import nodes_of

    template = template_of(study)
    built = template.build(scale, gather(changes or [], settings))
    if scale is None:
        answers().print(Text(_chosen_scale(template)))
    store = Store(folder)
    todo = plan_of(nodes_of(built), store)
    _print_groups(todo)
    _print_price(todo, store, workers, device, engine, stack)


def run(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    out: options.Out = None,
    workers: options.Workers = None,
    device: options.Device = "cpu",
    engine: options.Engine = None,
    stack: options.Stack = None,
) -> None:
    """Train what is missing, evaluate, judge, and write the report.

    Ctrl-C stops cleanly; the same command goes on where it stopped. What is stored is never trained again.

    Example: `prunescope run quickstart`, then `prunescope run quickstart -s levels=8`
    """
    from prunescope.cli.display import duration, shown
    from prunescope.runs.execution.ensure import ensure
    from prunescope.runs.store.housekeeping import pin
    from prunescope.runs.store.store import Store
    from prunescope.studies.publish import nodes_of

    template, overrides = template_of(study), gather(changes or [], settings)
    built, store = template.build(scale, overrides), Store(folder)
    nodes, began = nodes_of(built), time.monotonic()
    pin(store, f"{built.name}.{built.settings.id[:8]}", nodes)
    screen = messages()
    screen.print(Text(f"{built.name}: {built.question}"))
    if scale is None:
        screen.print(Text(_chosen_scale(template)))
    with shown(screen) as display:
        ensure(nodes, store=store, workers=workers, device=device, engine=engine, stack=stack, display=display)
    screen.print(f"done in {duration(time.monotonic() - began)}; results are in {store.root}", soft_wrap=True)
    command = _command(study, template.settings(scale, overrides)[0], changes, settings, folder)
    _publish(built, store, out or _folder(built, template), command)


def report(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    out: options.Out = None,
) -> None:
    """Write the report again from what is stored. Trains nothing.

    It names what has not been run yet.

    Example: `prunescope report quickstart --out /tmp/quickstart`
    """
    template, overrides = template_of(study), gather(changes or [], settings)
    built = template.build(scale, overrides)
    command = _command(study, template.settings(scale, overrides)[0], changes, settings, folder)
    _publish(built, options.existing_store(folder), out or _folder(built, template), command)


def template_of(name: str) -> Template:
    """The study of that name, with its scales."""
    from prunescope.papers.catalogue import catalogue
    from prunescope.studies.load import find

    return find(name, {entry.name: entry.module for entry in catalogue()})


def _chosen_scale(template: Template) -> str:
    """Which scale is taken where none is asked for, and which others there are."""
    chosen, others = template.default_scale, [name for name in template.scales if name != template.default_scale]
    return f"at scale {chosen}" + (f" (--scale {' or '.join(others)} for another)" if others else "")


def _command(study: str, scale: str, changes: list[str] | None, settings: Path | None, folder: Path) -> str:
    """The command line that makes the same report again."""
    words = ["prunescope", "run", study, "--scale", scale]
    words += ["--settings", str(settings)] if settings else []
    words += [word for pair in changes or [] for word in ("-s", pair)]
    words += ["--store", str(folder)] if folder != options.STORE else []
    return shlex.join(words)


def _folder(study: Study, template: Template) -> Path:
    """Where a report goes by default: by the study's name, and by its settings where they are not those of a scale.

    So reports of two networks do not overwrite each other.
    """
    is_a_scale = study.settings in template.scales.values()
    return options.REPORTS / (study.name if is_a_scale else f"{study.name}-{study.settings.id[:8]}")


def _publish(study: Study, store: Store, out: Path, command: str) -> None:
    """Writes the report and prints its verdicts; exit code 1 if runs failed."""
    from prunescope.studies.publish import publish

    published = publish(study, store, out, command=command)
    _print_verdicts(study, published)
    answers().print(Text(f"report: {published.page.resolve()}"), soft_wrap=True)
    if published.failures:
        lines = "\n".join(f"  {run[:12]}: {why}" for run, why in published.failures.items())
        print_problem(f"{len(published.failures)} runs failed; the report shows what there is\n{lines}")
        raise typer.Exit(1)


def _print_verdicts(study: Study, published: Published) -> None:
    from prunescope.studies.report import mean_rule, number, summary_sentence

    rows = table("claim", mean_rule(study), "interval rule", "estimate", "n", right=("n",))
    for verdict in published.verdicts:
        estimate, interval = verdict.why, verdict.interval
        if interval:
            bounds = f"[{number(interval.low)}, {number(interval.high)}]"
            estimate = f"{number(interval.estimate)} {bounds} {verdict.claim.unit}"
        cells = (verdict.claim.says, verdict.paper, verdict.interval_rule, estimate, str(verdict.n))
        rows.add_row(*(Text(cell) for cell in cells))
    console = answers()
    if published.verdicts:
        console.print(rows)
    console.print(Text(summary_sentence(published.verdicts, mean_rule(study))))


def _print_groups(todo: Plan) -> None:
    from prunescope.cli.plans import groups

    numbers = ("needed", "stored", "failed", "to do")
    rows = table("kind", *numbers, right=numbers)
    for kind, counts in groups(todo).items():
        counts["to do"] = counts["needed"] - counts["stored"] - counts["failed"]
        rows.add_row(Text(kind), *(str(counts[name]) for name in numbers))
    answers().print(rows)


def _print_price(
    todo: Plan, store: Store, workers: int | None, device: str, engine: str | None, stack: int | None
) -> None:
    from prunescope.cli.display import duration
    from prunescope.cli.plans import pack_sentences
    from prunescope.runs.execution.preparation import prepare, workers_for
    from prunescope.runs.machine.pricing import cost

    console, rest = answers(), todo.feasible()
    if blocked := len(todo.work) - len(rest.work):
        console.print(f"\n{blocked} of these need a run that failed and will not be tried.")
    if not rest.work:
        console.print("\nNothing is left to do.")
        return
    count = workers_for(rest, workers, device)
    prepared = prepare(rest, store, workers=count, device=device, engine=engine, stack=stack)
    for line in (*prepared.notes, *pack_sentences(prepared)):
        console.print(line, soft_wrap=True)
    console.print(f"Runs are trained by {prepared.bench.setting.sentence}.", soft_wrap=True)
    price = cost(rest, prepared.prices, prepared.seconds, workers=count)
    console.print(
        f"\nThe rest takes about {duration(price.clock)} with {count} worker{'s' if count > 1 else ''} on {device} "
        f"({duration(price.work)} of work, {duration(price.longest)} on the longest path) "
        f"and at most {size(price.disk)} of disk, as measured on this machine.",
        soft_wrap=True,
    )
    if bound := rest.open_ended():
        console.print(
            f"{bound} of these depend on results or may stop early; they are priced at the most they can cost.",
            soft_wrap=True,
        )
