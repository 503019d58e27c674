"""The commands by which results leave: `export` to files and boards, `publish` as a bundle, `verify` of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.cli import options
from prunescope.cli.orders import Order, command_of, most_of, order_of, template_of
from prunescope.cli.screen import answers, messages

if TYPE_CHECKING:
    from prunescope.runs.store.store import Store
    from prunescope.sharing.bundle import Bundle
    from prunescope.sharing.records import Record
    from prunescope.sharing.verify import Verification
    from prunescope.studies.load import Template
    from prunescope.studies.study import Study

VERIFIED = Path("prunescope-verified")
NAMED = 10
"""How many runs and reasons are named."""
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
    from prunescope.sharing import exporters
    from prunescope.sharing.leaves import leaf
    from prunescope.sharing.sinks import boards, write

    store = options.existing_store(folder)
    if to not in boards():
        leaf(exporters, to)
        studies = [name for name in runs if not _ID.fullmatch(name)]
        if studies or scale or changes or settings:
            raise UsageError(f"--to {to} writes single networks; give ids of runs (`prunescope runs ls`), no study")
        _write_networks([find(store, run) for run in runs], to, out, smaller, store)
        return
    if smaller:
        raise UsageError(f"--smaller is for networks as files; {to} takes curves and results")
    orders = [name if _ID.fullmatch(name) else order_of(name, scale, changes, settings) for name in runs]
    place = out or Path(to)
    count = write(_records(orders, store), to, place)
    answers().print(Text(f"{count} runs are in {place}"), soft_wrap=True)


def _records(orders: list[str | Order], store: Store) -> Iterator[Record]:
    from prunescope.runs.store.housekeeping import find
    from prunescope.sharing.records import of_nodes, of_runs

    for order in orders:
        if isinstance(order, Order):
            yield from of_nodes(store, order.study.nodes, order.study.name)
        else:
            yield from of_runs(store, [find(store, order)])


def _write_networks(runs: list[str], to: str, out: Path | None, smaller: bool, store: Store) -> None:
    from prunescope.sharing import exporters
    from prunescope.sharing.export import export as write
    from prunescope.sharing.leaves import leaf

    ending = leaf(exporters, to).SUFFIX
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


def publish(
    study: options.Study,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or hf:user/name.")],
    scale: options.Scale = None,
    changes: options.Set = None,
    settings: options.Settings = None,
    folder: options.StoreFolder = options.STORE,
    until_decided: options.UntilDecided = False,
    most: options.Most = None,
    null: options.Null = False,
) -> None:
    """Write a study with all its results as a bundle that others can read and verify. Trains nothing.

    The report, verdicts, recipes, how every run was executed, what was measured of every example, and digests of code
    and weights. No weights, no data, no code of your own, no names of machines.

    Example: `prunescope publish quickstart --to quickstart-bundle`
    """
    from prunescope.sharing.publish import publish as write

    order = order_of(study, scale, changes, settings, null, most_of(until_decided, most))
    command = command_of(["run", study], order, changes, settings, options.STORE)
    source = {"study": study, "scale": order.settings[0], "null": null, "most": order.most}
    store = options.existing_store(folder)
    bundle = write(order.stored(store), to, store=store, command=command, source=source, registered=order.study)
    lacks = bundle.head["lacks"]
    answers().print(
        Text(f"{to}: {len(bundle.runs)} runs, {len(bundle.head['files'])} files; bundle {bundle.fingerprint}")
    )
    if lacks:
        answers().print(Text(f"{lacks} results of {study} are not stored and not in it; `prunescope run` makes them"))


def verify(
    place: Annotated[str, typer.Argument(metavar="BUNDLE", help="A folder, or hf:user/name.")],
    share: Annotated[float, typer.Option("--share", help="Share of the runs that is trained again.")] = 0.01,
    study: Annotated[
        str | None,
        typer.Option("--study", help="A file.py or module:NAME of the study, where it is not one of prunescope's own."),
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust", metavar="PACKAGE", help="A package that may be imported if the bundle names it."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the draw.", show_default="another every time")] = None,
    folder: Annotated[
        Path, typer.Option("--store", help="Where runs are trained; not the store that the bundle was made from.")
    ] = VERIFIED,
    workers: options.Workers = None,
) -> None:
    """Compare every file of a bundle with its digest, and train a random share of its runs again.

    On the same kind of processor with the same versions states must agree bit by bit; elsewhere verdicts must. Nothing
    that a bundle names is imported but prunescope's own code and what --trust permits. Exit code 1 where they differ,
    or where verdicts cannot be judged again here.

    Example: `prunescope verify quickstart-bundle --share 0.05`
    """
    from prunescope.runs.execution.display import display_on
    from prunescope.runs.graph.nodes import closure
    from prunescope.runs.store.store import Store
    from prunescope.sharing import places, rebuilt
    from prunescope.sharing.bundle import open_bundle, printable
    from prunescope.sharing.verify import verify as compare

    if options.is_store(str(folder)) or Path(place).resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(
            f"--store {folder} is a store, or in the bundle; name another folder, in which runs are trained again"
        )
    bundle = open_bundle(places.local(place, folder / "downloads"))
    console = answers()
    console.print(Text(_opened(bundle)), soft_wrap=True)
    built, why = _study(bundle, study, trust or [])
    nodes = closure(built.nodes) if built is not None else {}
    if built is not None and (others := nodes.keys() - bundle.nodes.keys()):
        built, why = None, f"this version of prunescope builds other nodes for it ({len(others)} of {len(nodes)})"
        why += f", or {study} has another name than its authors gave it, which ids contain" if study else ""
    if bundle.runs.keys() - nodes.keys():
        found, refused = rebuilt.values(bundle.nodes, trust=trust or [])
        nodes = {**nodes, **found}
        for reason in list(dict.fromkeys(refused.values()))[:NAMED]:
            console.print(Text(printable(f"not trained: {reason}")), soft_wrap=True)
    result = compare(
        bundle,
        nodes,
        store=Store(folder / "store"),
        share=share,
        seed=seed,
        study=built,
        workers=workers,
        display=display_on(messages()),
    )
    _print(bundle, result, why)
    if not result.agrees or result.verdicts is None:
        raise typer.Exit(1)


def _opened(bundle: Bundle) -> str:
    from prunescope.sharing.bundle import package_digest, printable

    head = bundle.head
    other = "" if head.get("code") == package_digest() else ", by other code than this version's"
    return (
        f"{printable(head.get('study'))[:80]}: all {len(head['files'])} files have the digests that it names{other}; "
        f"bundle {bundle.fingerprint}, to be compared with what its authors printed"
    )


def _study(bundle: Bundle, named: str | None, trust: list[str]) -> tuple[Study | None, str]:
    """The study with the bundle's settings, or why there is none; only our own or one named here is imported."""
    from prunescope.base.kinds import KIND
    from prunescope.papers.catalogue import catalogue
    from prunescope.sharing.bundle import printable
    from prunescope.sharing.rebuilt import untrusted

    source, settings = bundle.head.get("source"), bundle.head.get("settings")
    source = source if isinstance(source, dict) else {}
    name = named or str(source.get("study"))
    if named is None and name not in {entry.name for entry in catalogue()}:
        return None, f"{printable(name)[:80]!r} is no study of prunescope; --study names its file"
    if not isinstance(settings, dict):
        return None, "its settings are no settings"
    fields = {key: item for key, item in settings.items() if key != KIND}
    if why := next(untrusted(fields, trust), ""):
        return None, printable(why)
    try:
        return _built(bundle, template_of(name), source, fields), ""
    except (PrunescopeError, KeyError, TypeError, ValueError) as problem:
        if named is not None and isinstance(problem, UsageError):
            raise
        return None, printable(f"{name} cannot be built here ({problem})")


def _built(bundle: Bundle, template: Template, source: Mapping[str, Any], fields: Mapping[str, Any]) -> Study:
    """The study of a bundle, with the replicates that were added to it where they were."""
    from prunescope.runs.graph.nodes import closure
    from prunescope.sharing.verify import Published
    from prunescope.studies.looks import FIRST, looks
    from prunescope.studies.null_world import null_world
    from prunescope.studies.sequential import until_decided

    def build(**changes: object) -> Study:
        study = template.again(str(source.get("scale")), {**fields, **changes})
        return null_world(study) if source.get("null") else study

    if (most := source.get("most")) is None:
        return build()
    results = Published(bundle, {})
    return until_decided(
        lambda n: build(replicates=n),
        looks(FIRST, int(most)),
        lambda nodes: results,
        lambda nodes: closure(nodes).keys() <= bundle.nodes.keys(),
    ).study


def _print(bundle: Bundle, result: Verification, why: str) -> None:
    console, trained = answers(), result.trained
    equal = sum(run.bits for run in trained)
    drawn = f"{len(trained)} of {len(bundle.runs)} runs were trained again, ancestors included (--seed {result.seed})"
    console.print(Text(f"{drawn}: {equal} with equal bits"), soft_wrap=True)
    for run in result.contradicted[:NAMED]:
        what = "the published weights and other values" if run.bits else "other weights under the same circumstances"
        console.print(Text(f"  {run.run[:12]} has {what}{_gap(run)}"), soft_wrap=True)
    elsewhere = [run for run in trained if not run.bits and run.elsewhere]
    if elsewhere:
        names = ", ".join(dict.fromkeys(name for run in elsewhere for name in run.elsewhere))
        furthest = max(elsewhere, key=lambda run: run.distance)
        console.print(
            Text(f"  {len(elsewhere)} could not be expected to, by other {names}{_gap(furthest)}"), soft_wrap=True
        )
    if result.verdicts is None:
        console.print(Text(f"verdicts were not judged again: {why}"), soft_wrap=True)
        return
    good = result.verdicts - len(result.wrong)
    console.print(Text(f"{good} of {result.verdicts} published verdicts follow from the published values"))
    for name, said in (*result.wrong.items(), *result.changed.items()):
        console.print(Text(f"  {name}: {said}"), soft_wrap=True)
    if elsewhere and not result.changed:
        console.print("with the values of the runs trained here in their place, all verdicts stay")


def _gap(run: Any) -> str:
    return f"; furthest: {run.furthest}, by {100 * run.distance:.2g} %" if run.furthest else ""
