"""Commands for several machines on one store: work, status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from prunescope.cli import options
from prunescope.cli.orders import Machine, Order, make, template_of
from prunescope.cli.overrides import gather
from prunescope.cli.screen import answers, table

if TYPE_CHECKING:
    from prunescope.runs.store.store import Store


def work(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    workers: options.Workers = None,
    device: options.Device = "cpu",
    engine: options.Engine = None,
    stack: options.Stack = None,
    null: options.Null = False,
) -> None:
    """Do what is left of a study, beside whoever else works on it; start it as often as you like, on any machine.

    All that work on one store share what is left, and any may join, stop or be killed at any time. It ends when nothing
    is left; `prunescope report` then writes the report. --stack 1 gives the same bits however many work.

    Example: `prunescope work jin2022/column --store s3://bucket/lab --stack 1`
    """
    order = Order(template_of(study), study, scale, gather(changes or [], settings), null=null)
    make(order, Machine(workers, device, engine, stack), folder)


def status(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="Also say how much of this is left.")] = None,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    null: options.Null = False,
    as_json: options.AsJson = False,
) -> None:
    """Say who works on what, on all machines, and how much is left of a study.

    Where other machines hold work it looks for twelve seconds, since only signs of life tell whether they live.

    Example: `prunescope status jin2022/column --store s3://bucket/lab`
    """
    store, console = options.existing_store(folder), answers()
    record: dict[str, Any] = {"workers": _workers(store)}
    if study is not None:
        order = Order(template_of(study), study, scale, gather(changes or [], settings), null=null)
        record |= {"study": order.study.name, "left": _left(order, store)}
    if as_json:
        console.print_json(json.dumps(record))
        return
    rows = table("machine", "process", "state", "works on", "pieces", right=("process", "pieces"))
    for worker in record["workers"]:
        cells = (worker["host"], str(worker["process"]), worker["state"], worker["on"][0], str(len(worker["on"])))
        rows.add_row(*(Text(cell) for cell in cells))
    console.print(rows if record["workers"] else "Nobody works on this store.")
    for kind, counts in record.get("left", {}).items():
        console.print(Text(f"{kind}: {counts['stored']} of {counts['needed']} stored, {counts['failed']} failed"))


def _workers(store: Store) -> list[dict[str, Any]]:
    """Every process that holds leases: host, process, whether it lives, and what it works on."""
    from prunescope.runs.store.lease import dead, held, titles

    leases = held(store)
    gone, named = dead(store, leases), titles(store, leases)
    workers: dict[str, dict[str, Any]] = {}
    for key, holder in sorted(leases.items()):
        if holder is not None:
            facts = {"host": holder.host, "process": holder.process, "state": "gone" if key in gone else "works"}
            workers.setdefault(holder.worker, {**facts, "on": []})["on"].append(named[key])
    return list(workers.values())


def _left(order: Order, store: Store) -> dict[str, dict[str, int]]:
    """Of each kind of run and reading of a study: how many are needed, stored, failed."""
    from prunescope.cli.plans import groups
    from prunescope.runs.store.plan import plan
    from prunescope.studies.publish import nodes_of

    return {kind: dict(counts) for kind, counts in groups(plan(nodes_of(order.study), store)).items()}
