"""Commands on studies: plan, run, report.

Belongs here: their arguments. Does not belong here: how any of it is done (`orders.py`).
"""

from __future__ import annotations

from rich.text import Text

from prunescope.cli import options
from prunescope.cli.orders import (
    Machine,
    Order,
    carry_out,
    chosen_scale,
    command_of,
    most_of,
    publish_report,
    template_of,
)
from prunescope.cli.overrides import gather
from prunescope.cli.screen import answers, messages


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
    null: options.Null = False,
    as_json: options.AsJson = False,
) -> None:
    """Say what a study needs, what is stored, and what the rest will cost. Trains nothing.

    The cost is measured: a few steps of each kind of run, for less than a second. A published data set that is not on
    this disk is stood in for by images of its shape.

    Example: `prunescope plan jin2022/lenet-preview --scale paper -s replicates=5`
    """
    from prunescope.cli.plans import print_plan
    from prunescope.tasks.data.stand_in import stand_ins

    order = Order(template_of(study), study, scale, gather(changes or [], settings), null=null)
    if scale is None and not as_json:
        answers().print(Text(chosen_scale(order.template)))
    with stand_ins() as missing:
        print_plan(order.study, folder, Machine(workers, device, engine, stack), as_json=as_json)
    for name in missing:
        text = f"{name} is not here: images of its shape stood in, and no run on it counts as stored; "
        messages().print(Text(f"{text}`prunescope data get {name}` downloads it"), soft_wrap=True)


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
) -> None:
    """Train what is missing, evaluate, judge, and write the report.

    Ctrl-C stops cleanly; the same command goes on where it stopped. What is stored is never trained again.

    Example: `prunescope run quickstart`, then `prunescope run quickstart -s levels=8`
    """
    machine = Machine(workers, device, engine, stack, options.ray_of(executor, address))
    template = template_of(study)
    order = Order(template, study, scale, gather(changes or [], settings), null, most_of(until_decided, most))
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
    order = Order(template_of(study), study, scale, gather(changes or [], settings), null=null)
    command = command_of(["run", study], order, changes, settings, folder)
    publish_report(order.study, options.existing_store(folder), out or order.folder, command)
