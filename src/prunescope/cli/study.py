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
from prunescope.cli.problems import tell
from prunescope.cli.screen import answers, messages, size, table

if TYPE_CHECKING:
    from prunescope.runs.plan import Plan
    from prunescope.runs.store import Store
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
    store: options.StoreFolder = options.STORE,
    workers: options.Workers = None,
    device: options.Device = "cpu",
    engine: options.Engine = None,
    stack: options.Stack = None,
) -> None:
    """Say what a study needs, what is stored, and what the rest will cost. Trains nothing.

    The cost is measured: a few steps of each kind of run, for less than a second.

    Example: `prunescope plan jin2022/lenet-preview --scale paper -s replicates=5`
    """
    from prunescope.runs.plan import plan as planned
    from prunescope.runs.store import Store
    from prunescope.studies.publish import nodes_of

    made = _template(study).build(scale, gather(changes or [], settings))
    shop = Store(store)
    left = planned(nodes_of(made), shop)
    _print_groups(left)
    _print_price(left, shop, workers, device, engine, stack)


def run(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    store: options.StoreFolder = options.STORE,
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
    from prunescope.runs.display import duration, shown
    from prunescope.runs.execute import ensure
    from prunescope.runs.housekeeping import pin
    from prunescope.runs.store import Store
    from prunescope.studies.publish import nodes_of

    template, given = _template(study), gather(changes or [], settings)
    made, shop = template.build(scale, given), Store(store)
    nodes, began = nodes_of(made), time.monotonic()
    pin(shop, f"{made.name}.{made.settings.id[:8]}", nodes)
    screen = messages()
    screen.print(Text(f"{made.name}: {made.question}"))
    with shown(screen) as display:
        ensure(nodes, store=shop, workers=workers, device=device, engine=engine, stack=stack, display=display)
    screen.print(f"done in {duration(time.monotonic() - began)}; results are in {shop.root}", soft_wrap=True)
    again = _command(study, template.settings(scale, given)[0], changes, settings, store)
    _publish(made, shop, out, again)


def report(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    store: options.StoreFolder = options.STORE,
    out: options.Out = None,
) -> None:
    """Write the report again from what is stored. Trains nothing.

    What was not run yet is said to be so.

    Example: `prunescope report quickstart --out /tmp/quickstart`
    """
    template, given = _template(study), gather(changes or [], settings)
    made = template.build(scale, given)
    again = _command(study, template.settings(scale, given)[0], changes, settings, store)
    _publish(made, options.stored(store), out, again)


def _template(name: str) -> Template:
    from prunescope.papers.catalogue import catalogue
    from prunescope.studies.load import find

    return find(name, {entry.name: entry.module for entry in catalogue()})


def _command(study: str, scale: str, changes: list[str] | None, settings: Path | None, store: Path) -> str:
    words = ["prunescope", "run", study, "--scale", scale]
    words += ["--settings", str(settings)] if settings else []
    words += [word for pair in changes or [] for word in ("-s", pair)]
    words += ["--store", str(store)] if store != options.STORE else []
    return shlex.join(words)


def _publish(made: Study, shop: Store, out: Path | None, command: str) -> None:
    """Writes the report and says what it says; exit code 1 if runs failed."""
    from prunescope.studies.publish import publish

    done = publish(made, shop, out or options.REPORTS / made.name, command=command)
    _print_verdicts(done)
    answers().print(Text(f"report: {done.page.resolve()}"), soft_wrap=True)
    if done.failures:
        lines = "\n".join(f"  {run[:12]}: {why}" for run, why in done.failures.items())
        tell(f"{len(done.failures)} runs failed; the report shows what there is\n{lines}")
        raise typer.Exit(1)


def _print_verdicts(done: Published) -> None:
    from prunescope.studies.report import number, summary_sentence

    shown = table("claim", "paper's rule", "interval rule", "estimate", "n", right=("n",))
    for verdict in done.verdicts:
        found = verdict.interval
        low_high = (
            f"{number(found.estimate)} [{number(found.low)}, {number(found.high)}]" if found else "none"
        )
        estimate = f"{low_high} {verdict.claim.unit}" if found else low_high
        cells = (verdict.claim.says, verdict.paper, verdict.interval_rule, estimate, str(verdict.n))
        shown.add_row(*(Text(cell) for cell in cells))
    console = answers()
    if done.verdicts:
        console.print(shown)
    console.print(Text(summary_sentence(done.verdicts)))


def _print_groups(left: Plan) -> None:
    from prunescope.runs.records import groups

    numbers = ("needed", "stored", "failed", "to do")
    shown = table("kind", *numbers, right=numbers)
    for group in groups(left):
        to_do = group.nodes - group.stored - group.failed
        counts = (group.nodes, group.stored, group.failed, to_do)
        shown.add_row(Text(group.kind), *(str(count) for count in counts))
    answers().print(shown)


def _print_price(
    left: Plan, shop: Store, workers: int | None, device: str, engine: str | None, stack: int | None
) -> None:
    from prunescope.runs.display import duration
    from prunescope.runs.plan import cost
    from prunescope.runs.preparation import prepare, workers_for
    from prunescope.runs.records import feasible, open_ended

    console, rest = answers(), feasible(left)
    if lost := len(left.left) - len(rest.left):
        console.print(f"\n{lost} of these need a run that failed and will not be tried.")
    if not rest.left:
        console.print("\nNothing is left to do.")
        return
    count = workers_for(rest, workers, device)
    ready = prepare(rest, shop, workers=count, device=device, engine=engine, stack=stack)
    for line in (*ready.packed.notes, *ready.packed.says(rest, ready.alone, ready.seconds)):
        console.print(line, soft_wrap=True)
    console.print(f"Runs are trained by {ready.bench.setting.says}.", soft_wrap=True)
    price = cost(rest, ready.prices, ready.seconds, workers=count)
    console.print(
        f"\nThe rest takes about {duration(price.clock)} with {count} worker{'s' if count > 1 else ''} on {device} "
        f"({duration(price.work)} of work, {duration(price.longest)} on the longest path) "
        f"and at most {size(price.disk)} of disk, as measured on this machine.",
        soft_wrap=True,
    )
    if bound := open_ended(rest):
        console.print(
            f"{bound} of these depend on results or may stop early; they are priced at the most they can cost.",
            soft_wrap=True,
        )
