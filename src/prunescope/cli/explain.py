"""The command `explain`: a study of why pruning changed a network of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.orders import Machine, Order, carry_out, command_of, most_of
from prunescope.cli.overrides import gather

STUDY = "prunescope.explain.study"


def explain(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A file.py that has a Recipe called `recipe`.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Without a file: my_module:Net, a class or a factory.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Without a file: a data set by name, an npz, a parquet file.")
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
    from prunescope.cli.plans import print_plan
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
    print_plan(order.study, folder, machine)
    if not plan:
        words = ["explain", *([file] if file else [])]
        carry_out(order, machine, folder, out, command_of(words, order, changes, settings, folder))
