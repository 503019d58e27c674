"""A study as it was asked for on the command line, and carrying it out.

Belongs here: what `plan`, `run`, `report` and `explain` share. Does not belong here: their arguments (`study.py`).
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.overrides import Nested, gather
from prunescope.cli.problems import CANNOT, print_problem
from prunescope.cli.screen import answers, messages, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prunescope.base.value import Value
    from prunescope.runs.store.results import StoredResults
    from prunescope.runs.store.store import Store
    from prunescope.studies.load import Template
    from prunescope.studies.report import Written
    from prunescope.studies.study import Study

PATIENCE_SECONDS = 20.0
MOST = 20
"""Replicates at most, where they are added until claims are decided."""


@dataclass(frozen=True)
class Machine:
    """By what a study is carried out; see the options of these names."""

    workers: int | None
    device: str
    engine: str | None
    stack: int | None
    ray: str | None = None


@dataclass(frozen=True)
class Order:
    """A study as it was asked for.

    template: the study without settings. name: as it was called. scale, changes: of the settings.
    null: whether it is the null world. most: replicates, where they are added until claims are decided; else None.
    Raises UsageError for both most and a setting of replicates, which would say nothing.
    """

    template: Template
    name: str
    scale: str | None
    changes: Nested
    null: bool = False
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most and "replicates" in self.changes:
            given = self.changes["replicates"]
            raise UsageError(
                f"replicates={given} and --until-decided both say how many replicates there are; "
                f"for {given} leave --until-decided out, for {given} at most write --most {given} instead"
            )

    @property
    def settings(self) -> tuple[str, Value]:
        """The name of the scale, and all settings."""
        return self.template.settings(self.scale, self.changes)

    @cached_property
    def study(self) -> Study:
        """The study, built once."""
        with patience():
            return self.build()

    def build(self, **changes: object) -> Study:
        """The study anew, with further changes of its settings."""
        from prunescope.studies.null_world import null_world

        study = self.template.build(self.scale, {**self.changes, **changes})
        return null_world(study) if self.null else study

    def at(self, replicates: int) -> Study:
        """The study with so many replicates; raises UsageError where it has no setting of them."""
        if "replicates" not in type(self.settings[1]).model_fields:
            raise UsageError(
                f"{self.name} has no setting 'replicates', so none can be added; leave --until-decided out"
            )
        return self.build(replicates=replicates)

    @property
    def folder(self) -> Path:
        """Where its report goes: by its name, and by its settings where they are not those of a scale.

        So reports of two networks do not overwrite each other.
        """
        name, settings = self.study.name, self.study.settings
        return options.REPORTS / (name if settings in self.template.scales.values() else f"{name}-{settings.id[:8]}")


def most_of(until_decided: bool, most: int | None) -> int | None:
    """The most replicates; None where replicates are not added."""
    if most is not None and not until_decided:
        raise UsageError(f"--most {most} is for --until-decided; for {most} replicates write -s replicates={most}")
    return (most or MOST) if until_decided else None


def carry_out(order: Order, machine: Machine, folder: str, out: Path | None, command: str) -> None:
    """Makes what a study lacks and writes its report."""
    from prunescope.studies.folder import require_folder

    require_folder(out or order.folder)
    study, store = make(order, machine, folder)
    publish_report(study, store, out or order.folder, command, registered=order.study)


def make(order: Order, machine: Machine, folder: str) -> tuple[Study, Store]:
    """Makes what a study lacks, with replicates added where the order says so; the study as it was made, and where."""
    from prunescope.runs.execution.display import display_on, duration
    from prunescope.runs.execution.ensure import ensure
    from prunescope.runs.store.housekeeping import pin
    from prunescope.runs.store.store import Store
    from prunescope.studies.looks import FIRST, looks
    from prunescope.studies.registration import register
    from prunescope.studies.sequential import until_decided

    store, screen, began = Store(folder), messages(), time.monotonic()
    study = order.study
    screen.print(Text(f"{study.name}: {study.question}"))
    if order.scale is None:
        screen.print(Text(chosen_scale(order.template)))
    register(study, store)
    pinned: list[Any] = []
    # Of its own, so that fewer replicates of the same study do not take its pin.
    name = f"{study.name}.{study.settings.id[:8]}" + ".until-decided" * (order.most is not None)

    def ensured(nodes: Iterable[Any]) -> StoredResults:
        pinned.extend(nodes)
        pin(store, name, pinned, more=order.most is not None)  # what an earlier look needed is kept until all are done
        return ensure(pinned, store=store, display=display_on(screen), **vars(machine))

    if order.most is None:
        ensured(study.nodes)
    else:
        decided = until_decided(order.at, looks(FIRST, order.most), ensured)
        pin(store, name, pinned)
        study = decided.study
        screen.print(f"{decided.replicates} replicates at the last look")
    screen.print(f"done in {duration(time.monotonic() - began)}; results are in {store.url}", soft_wrap=True)
    return study, store


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Says that planning takes long where it does, whatever the reason; it can be stopped like anything else."""
    text = f"planning takes more than {PATIENCE_SECONDS:g} s; Ctrl-C stops it"
    note = threading.Timer(PATIENCE_SECONDS, messages().print, [text])
    note.daemon = True
    note.start()
    try:
        yield
    finally:
        note.cancel()


def template_of(name: str) -> Template:
    """The study of that name, with its scales."""
    from prunescope.papers.catalogue import catalogue
    from prunescope.studies.load import find

    return find(name, {entry.name: entry.module for entry in catalogue()})


def order_of(
    study: str,
    scale: str | None,
    changes: list[str] | None,
    settings: Path | None,
    null: bool = False,
    most: int | None = None,
) -> Order:
    """A study by its name, with settings as they were typed; see `Order`."""
    return Order(template_of(study), study, scale, gather(changes or [], settings), null, most)


def chosen_scale(template: Template) -> str:
    """Which scale is taken where none is asked for, and which others there are."""
    chosen, others = template.default_scale, [name for name in template.scales if name != template.default_scale]
    return f"at scale {chosen}" + (f" (--scale {' or '.join(others)} for another)" if others else "")


def command_of(words: list[str], order: Order, changes: list[str] | None, settings: Path | None, folder: str) -> str:
    """The command line that makes the same report again; words: the command and what it is about."""
    words = ["prunescope", *words, "--scale", order.settings[0]]
    words += ["--null"] * order.null
    words += ["--until-decided", "--most", str(order.most)] if order.most else []
    words += ["--settings", str(settings)] if settings else []
    words += [word for pair in changes or [] for word in ("-s", pair)]
    words += ["--store", folder] if folder != options.STORE else []
    return shlex.join(words)


def publish_report(study: Study, store: Store, out: Path, command: str, registered: Study | None = None) -> None:
    """Writes the report and prints its verdicts; exit code 1 if runs failed, 2 if results were damaged.

    registered: see `publish`.
    """
    from prunescope.studies.publish import publish

    published = publish(study, store, out, command=command, registered=registered)
    _print_verdicts(study, published)
    answers().print(Text(f"report: {published.page.resolve()}"), soft_wrap=True)
    if store.set_aside:
        lines = "\n".join(f"  {what}" for what in store.set_aside)
        print_problem(f"results were damaged; `prunescope run` makes them again, and the report anew\n{lines}")
        raise typer.Exit(CANNOT)
    if published.failures:
        lines = "\n".join(f"  {run[:12]}: {why}" for run, why in published.failures.items())
        print_problem(f"{len(published.failures)} runs failed; the report shows what there is\n{lines}")
        raise typer.Exit(1)


def _print_verdicts(study: Study, published: Written) -> None:
    from prunescope.studies.numbers import number

    rule = [study.rule.name] if study.rule else []
    rows = table("claim", "interval rule", *rule, "estimate", "n", right=("n",))
    for verdict in published.verdicts:
        estimate, interval = verdict.why, verdict.interval
        if interval:
            bounds = f"[{number(interval.low)}, {number(interval.high)}]"
            estimate = f"{number(interval.estimate)} {bounds} {verdict.unit}"
        outcomes = [verdict.said] + [verdict.paper] * len(rule)
        rows.add_row(*(Text(cell) for cell in (verdict.claim.says, *outcomes, estimate, str(verdict.n))))
    console = answers()
    if published.verdicts:
        console.print(rows)
    console.print(Text(published.sentence))
