"""Commands on studies: plan, run, report, explain; and for several machines on one store: work, status.

Belongs here: their arguments. Does not belong here: how any of it is done (`orders.py`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.orders import (
    Machine,
    Order,
    carry_out,
    chosen_scale,
    command_of,
    make,
    most_of,
    order_of,
    publish_report,
)
from prunescope.cli.overrides import gather
from prunescope.cli.screen import answers, messages, table

if TYPE_CHECKING:
    from prunescope.runs.store.store import Store

STUDY = "prunescope.explain.study"
TRAINING = (
    "the training is a default, which the next lines name; yours: -s optimizer.momentum=0.9 -s schedule.lr=0.01 "
    "-s batch=128 --epochs 60, -s optimizer.kind=Adam, or a FILE.py with a Recipe called `recipe`"
)


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
    until_decided: options.UntilDecided = False,
    most: options.Most = None,
    null: options.Null = False,
    as_json: options.AsJson = False,
) -> None:
    """Say what a study needs, what is stored, and what the rest will cost. Trains nothing.

    The cost is measured: a few steps of each kind of run, for less than a second. A published data set that is not on
    this disk is stood in for by images of its shape.

    Example: `prunescope plan jin2022/lenet-preview --scale paper -s replicates=5`
    """
    from prunescope.cli.plans import print_priced

    order = order_of(study, scale, changes, settings, null, most_of(until_decided, most))
    if scale is None and not as_json:
        answers().print(Text(chosen_scale(order.template)))
    print_priced(order, folder, Machine(workers, device, engine, stack), as_json=as_json)


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
    until_decided: options.UntilDecided = False,
    most: options.Most = None,
    null: options.Null = False,
    executor: options.Executor = "processes",
    address: options.Address = None,
    plan: Annotated[bool, typer.Option("--plan", hidden=True)] = False,
) -> None:
    """Train what is missing, evaluate, judge, and write the report.

    Ctrl-C stops cleanly; the same command goes on where it stopped. What is stored is never trained again.

    Example: `prunescope run quickstart`, then `prunescope run quickstart -s levels=8`
    """
    if plan:
        raise UsageError(f"`prunescope plan {study}` says what it needs and costs; leave --plan out to run it")
    machine = Machine(workers, device, engine, stack, options.ray_of(executor, address))
    order = order_of(study, scale, changes, settings, null, most_of(until_decided, most))
    command = command_of(["run", study], order, changes, settings, folder)
    carry_out(order, machine, folder, out, command)


def report(
    study: options.Study,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    out: options.Out = None,
    null: options.Null = False,
) -> None:
    """Write the report again from what is stored. Trains nothing.

    It names what has not been run yet.

    Example: `prunescope report quickstart --out /tmp/quickstart`
    """
    order = order_of(study, scale, changes, settings, null)
    command = command_of(["run", study], order, changes, settings, folder)
    publish_report(order.study, options.existing_store(folder), out or order.folder, command)


def explain(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A file.py that has a Recipe called `recipe`.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Without a file: my_module:Net, a class or a factory.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Without a file: a data set by name, an npz or parquet file, or a folder.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Without a file: length of the schedule.")] = None,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    out: options.Out = None,
    workers: options.Workers = None,
    device: options.Device = "cpu",
    engine: options.Engine = None,
    stack: options.Stack = None,
    until_decided: options.UntilDecided = False,
    most: options.Most = None,
    null: options.Null = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it needs and costs, and stop.")] = False,
) -> None:
    """Say why pruning changed a network: time, size, disturbance, or the choice of weights.

    First what is needed, what is stored and what the rest costs; then networks between the dense and the pruned one
    are trained, each with a part of what pruning consists of, and the report says the share of every part.

    Example: `prunescope explain --network my_module:Net --data my.npz --epochs 30 -s levels=7`
    """
    from prunescope.cli.plans import print_plan, print_priced
    from prunescope.explain.study import template_of
    from prunescope.studies.load import find

    own = {
        name: value for name, value in (("network", network), ("data", data), ("epochs", epochs)) if value is not None
    }
    if file and own:
        raise UsageError(f"{file} has a recipe with its own {' and '.join(own)}; leave --{' --'.join(own)} out")
    changes = [*(f"{name}={value}" for name, value in own.items()), *(changes or [])]
    asked = gather(changes, settings)
    if not file and "network" in asked and "data" not in asked:
        raise UsageError(f"--network {asked['network']} needs data; write --data my.npz, or --data digits")
    template = template_of(file) if file else find(STUDY, {})
    order = Order(template, file or "explain", scale, asked, null, most_of(until_decided, most))
    machine = Machine(workers, device, engine, stack)
    if not file and "network" not in asked:
        messages().print("no FILE and no --network: a small network that ships with prunescope is explained")
    if not file and not {"optimizer", "schedule"} & asked.keys():
        messages().print(Text(TRAINING), soft_wrap=True)
    if plan:
        return print_priced(order, folder, machine)
    print_plan(order, folder, machine)
    words = ["explain", *([file] if file else [])]
    return carry_out(order, machine, folder, out, command_of(words, order, changes, settings, folder))


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
    order = order_of(study, scale, changes, settings, null)
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
        order = order_of(study, scale, changes, settings, null)
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

    return {kind: dict(counts) for kind, counts in groups(plan(order.study.nodes, store)).items()}
