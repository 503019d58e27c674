"""The command `export`: stored networks as files, stored curves and results on boards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.orders import Order, template_of
from prunescope.cli.overrides import gather
from prunescope.cli.screen import answers

if TYPE_CHECKING:
    from prunescope.runs.store.store import Store
    from prunescope.sharing.records import Record

_ID = re.compile(r"[0-9a-fA-F]{4,32}")


def export(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Ids of runs, or their first digits; for a board also a study."),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="A file: safetensors, torch.export, onnx. A board: tensorboard, wandb, mlflow, trackio."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file, or a folder.", show_default="./<run>.<format>, or ./<board>")
    ] = None,
    smaller: Annotated[
        bool, typer.Option("--smaller", help="Leave out filters and neurons of which nothing is left.")
    ] = False,
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
) -> None:
    """Write stored networks to files, with removed weights at 0 or left out; or curves and results to a board.

    A file is read again and its outputs are compared before the command ends.

    Example: `prunescope export 3fa9 --to onnx --smaller`, or `prunescope export quickstart --to tensorboard`
    """
    from prunescope.runs.store.housekeeping import find
    from prunescope.sharing.boards import boards, write

    store = options.existing_store(folder)
    if to not in boards():
        studies = [name for name in runs if not _ID.fullmatch(name)]
        if studies or scale or changes or settings:
            raise UsageError(f"--to {to} writes single networks; give ids of runs (`prunescope runs ls`), no study")
        _write_networks([find(store, run) for run in runs], to, out, smaller, store)
        return
    if smaller:
        raise UsageError(f"--smaller is for networks as files; {to} takes curves and results")
    orders = [
        name if _ID.fullmatch(name) else Order(template_of(name), name, scale, gather(changes or [], settings))
        for name in runs
    ]
    place = out or Path(to)
    count = write(_records(orders, store), to, place)
    answers().print(Text(f"{count} runs are in {place}"), soft_wrap=True)


def _records(orders: list[str | Order], store: Store) -> Iterator[Record]:
    from prunescope.runs.store.housekeeping import find
    from prunescope.sharing.records import of_nodes, of_runs
    from prunescope.studies.publish import nodes_of

    for order in orders:
        if isinstance(order, Order):
            yield from of_nodes(store, nodes_of(order.study), order.study.name)
        else:
            yield from of_runs(store, [find(store, order)])


def _write_networks(runs: list[str], to: str, out: Path | None, smaller: bool, store: Store) -> None:
    from prunescope.sharing.export import export as write
    from prunescope.sharing.export import suffix

    ending = suffix(to)
    file = out if out is not None and out.suffix and not out.is_dir() else None
    if file is not None and len(runs) > 1:
        raise UsageError(f"--out {file} is one file, and there are {len(runs)} runs; name a folder")
    for run in runs:
        path = file or (out or Path()) / f"{run[:12]}{ending}"
        written = write(run, to, path, store=store, smaller=smaller)
        left = ", ".join(f"{count} units of {layer}" for layer, count in written.removed.items())
        answers().print(Text(f"{path}: equal outputs{f', without {left}' if left else ''}"), soft_wrap=True)
        for layer, why in written.kept.items():
            answers().print(Text(f"  units of {layer} are gone and still there, at 0: {why}"), soft_wrap=True)
