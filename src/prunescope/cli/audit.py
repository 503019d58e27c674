"""The command that audits given networks."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from prunescope.base.errors import StoreError, UsageError
from prunescope.cli import options
from prunescope.cli.overrides import gather
from prunescope.cli.screen import answers, messages

if TYPE_CHECKING:
    from prunescope.measures.measure import SplitName
    from prunescope.tasks.data.source import Source

Dense = Annotated[
    str,
    typer.Argument(metavar="DENSE", help="A file of torch.save or safetensors, a folder of OpenLTH, or a run's id."),
]
Pruned = Annotated[list[str], typer.Argument(metavar="PRUNED...", help="What was made of it, the same kinds.")]


def audit(
    dense: Dense,
    pruned: Pruned,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="DATA", help="A data set by name, such as mnist, a file.npz or .parquet, or a folder."
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="MODULE:NAME", help="The class or function of the network.")
    ] = None,
    argument: Annotated[
        list[str] | None, typer.Option("--argument", metavar="NAME=VALUE", help="One of its arguments; repeatable.")
    ] = None,
    target: Annotated[str, typer.Option("--target", help="classes or binary: what the labels are.")] = "classes",
    twin: Annotated[
        list[str] | None,
        typer.Option("--twin", metavar="FILE", help="A dense network of another seed, the noise floor; repeatable."),
    ] = None,
    twins: Annotated[
        int | None, typer.Option("--twins", metavar="N", help="Train so many by the dense run's recipe, or --recipe.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="FILE", help="A file.py whose `recipe` trains --twins, or judges."),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--control", metavar="FILE", help="Trained on, or narrower, without pruning; repeatable."),
    ] = None,
    groups: Annotated[
        str, typer.Option("--groups", metavar="NAME,...", help="Columns of the data file, e.g. sex,site.")
    ] = "",
    gate: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="BOUND=POINTS", help="Exit 1 if broken, e.g. max-class-loss=1; repeatable."),
    ] = None,
    delta: Annotated[
        float, typer.Option("--delta", min=0, help="Points that a class may lose at a safe sparsity.")
    ] = 1.0,
    split: Annotated[str, typer.Option("--split", help="Whose examples: test or train.")] = "test",
    why: Annotated[
        int,
        typer.Option("--why", metavar="EXAMPLES", min=0, help="Look at flatness, barrier and layers on so many; 512."),
    ] = 0,
    corruptions: Annotated[
        str | None,
        typer.Option("--corruptions", metavar="NAME,...", help="all, or gaussian-noise,blur,brightness,contrast,jpeg."),
    ] = None,
    shifted: Annotated[
        str | None, typer.Option("--shifted", metavar="DATA", help="A second data set with the same classes.")
    ] = None,
    folder: options.StoreFolder = options.STORE,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder for the report.", show_default="./prunescope-reports/audit-<id>"),
    ] = None,
    device: options.Device = "cpu",
) -> None:
    """Say what pruning did to your network, to whom, and whether it is more than another seed changes.

    Trains nothing but --twins, or, with --recipe alone, three networks for a tenth of it, which judge difficulty. Zeros
    count as removed. A file is never executed: save state dicts, not modules.

    Example: `prunescope audit dense.pt pruned.pt --network my_module:Net --data cifar10 --twin dense2.pt`
    """
    from prunescope.audit.door import audit as audit_of
    from prunescope.runs.execution.display import display_on
    from prunescope.runs.given.states import Examples
    from prunescope.runs.store.housekeeping import pin
    from prunescope.runs.store.store import Store
    from prunescope.studies.folder import require_folder
    from prunescope.studies.load import recipe_of
    from prunescope.studies.own import TARGETS, source_named
    from prunescope.tasks.task import Data

    require_folder(out or options.REPORTS)
    if twin and twins is not None:
        raise UsageError("--twin names twins and --twins trains some; leave one of the two out")
    kind = _one_of("--target", target, {name: one for name, one in TARGETS.items() if one.classifies})()
    split_name = _one_of("--split", split, {"test": "test", "train": "train"})
    wanted = [name for name in (part.strip() for part in groups.split(",")) if name]
    source, layout = (None, None) if data is None else source_named(data, kind, trained=False, groups=wanted)
    other = source_named(shifted, kind, trained=False, groups=wanted) if shifted else None
    report = audit_of(
        dense,
        pruned,
        test=source,
        layout=layout,
        network=_network(network, argument or []),
        twins=twin or [] if twins is None else twins,
        controls=control or [],
        recipe=recipe_of(recipe) if recipe else None,
        groups=_groups(source, wanted, split_name),
        gate=gather(gate or [], option="--gate"),
        delta=delta,
        split=split_name,
        why=why,
        corruptions=corruptions if corruptions == "all" else [w.strip() for w in (corruptions or "").split(",") if w],
        shifted=Examples(Data(source=other[0]), layout=other[1]) if other else None,
        target=kind,
        store=folder,
        device=device,
        display=display_on(messages()),
    )
    for note in report.plan.notes:
        messages().print(Text(note), soft_wrap=True)
    name = f"audit-{report.study.settings.id[:8]}"
    try:
        pin(Store(folder), name, report.plan.all_nodes)
    except StoreError as problem:  # of a store that can be only read, and has all of it
        messages().print(Text(f"not pinned, so that `prunescope runs gc` may remove it: {problem}"), soft_wrap=True)
    page = report.write(out or options.REPORTS / name, command=shlex.join(["prunescope", *sys.argv[1:]]))
    console = answers()
    console.print(Text(str(report)), soft_wrap=True)
    console.print(Text(f"report: {page.resolve()}"), soft_wrap=True)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _one_of(option: str, name: str, known: Mapping[Any, Any]) -> Any:
    if name not in known:
        raise UsageError(f"{option} {name} is none of {', '.join(known)}")
    return known[name]


def _network(path: str | None, arguments: list[str]) -> Any:
    """The named network. Raises UsageError for arguments of none."""
    from prunescope.tasks.model import network

    if path is None:
        if arguments:
            raise UsageError(f"--argument {arguments[0]} is of no network; name one by --network module:Name")
        return None
    return network(path, **gather(arguments, option="--argument"))


def _groups(source: Source | None, names: list[str], split: SplitName) -> dict[str, list[str]]:
    """The data's own columns by name, a text for every example of the split."""
    if source is None:
        if names:
            raise UsageError(f"--groups {','.join(names)} are columns of the data; name the file by --data")
        return {}
    from prunescope.tasks.data.groups import grouping

    columns = {}
    for name in names:
        found = grouping(source.digest, name)
        if split not in found.codes:
            raise UsageError(f"--groups {name}: the data have that column for {', '.join(found.codes)} only")
        columns[name] = [found.names[code] for code in found.codes[split].tolist()]
    return columns
