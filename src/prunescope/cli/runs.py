"""Commands on the store: ls, show, verify, gc."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import track
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.overrides import as_yaml
from prunescope.cli.problems import print_problem
from prunescope.cli.screen import answers, messages, size, table

app = typer.Typer(no_args_is_help=True, help="What is stored: list it, show one run, check it, tidy up.")

NAMED = 20
"""How many runs a dry run names."""


@app.command("ls")
def ls(folder: options.StoreFolder = options.STORE, as_json: options.AsJson = False) -> None:
    """List all stored runs, the last finished first.

    Example: `prunescope runs ls --store /data/prunescope-store`
    """
    from prunescope.runs.execution.display import duration
    from prunescope.runs.store.housekeeping import refuse_links
    from prunescope.runs.store.index import listing

    def shown(some: Sequence[list[str]]) -> Iterable[list[str]]:
        return track(some, "reading", console=messages(), transient=True)

    refuse_links(store := options.existing_store(folder))
    runs = listing(store, shown)
    if as_json:
        answers().print_json(json.dumps([asdict(run) for run in runs]))
        return
    numbers = ("noise", "level", "seed", "sparsity", "steps", "time", "size")
    rows = table("id", "status", "network", "data", *numbers, right=numbers)
    for run in runs:
        shares = f"{100 * run.noise:g} %", str(run.level), str(run.seed), f"{100 * run.sparsity:.1f} %"
        cells = (run.id[:12], run.status, run.network, run.data, *shares, str(run.steps))
        rows.add_row(*(Text(cell) for cell in (*cells, duration(run.seconds), size(run.size))))
    console = answers()
    console.print(rows)
    console.print(f"\n{len(runs)} runs, {size(sum(run.size for run in runs))}")


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="ID", help="The id of a run, or its first digits.")],
    folder: options.StoreFolder = options.STORE,
) -> None:
    """Show what one run was: recipe, lineage, how it was executed.

    Example: `prunescope runs show 3fa9`
    """
    from prunescope.runs.store.housekeeping import find, lineage

    store = options.existing_store(folder)
    manifest, *parents = lineage(store, find(store, run))
    facts = {name: value for name, value in manifest.items() if name not in ("recipe", "parents")}
    chain = [{"id": run["id"], "status": run["status"], "sparsity": run.get("sparsity")} for run in parents]
    record = {"recipe": manifest["recipe"], "lineage": chain, **facts}
    answers().print(Text(as_yaml(record)), soft_wrap=True)


@app.command()
def verify(folder: options.StoreFolder = options.STORE) -> None:
    """Read every stored file and compare it with the digest of its content.

    Exit code 1 if a file is damaged.
    """
    from prunescope.runs.store import housekeeping

    store = options.existing_store(folder)
    keys = housekeeping.files(store)
    checks = track(housekeeping.verify(store, keys), "reading", total=len(keys), console=messages(), transient=True)
    damaged = [checked for checked in checks if checked.problem]
    answers().print(f"{len(keys) - len(damaged)} of {len(keys)} files are whole")
    if damaged:
        print_problem("\n".join(f"{store.where(checked.key)}: {checked.problem}" for checked in damaged))
        raise typer.Exit(1)


@app.command()
def gc(
    folder: options.StoreFolder = options.STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove; without it nothing happens.")] = False,
    unpin: Annotated[
        list[str] | None, typer.Option("--unpin", metavar="NAME", help="Forget a pin first; repeatable.")
    ] = None,
    unpinned: Annotated[bool, typer.Option("--unpinned", help="Go on even if nothing at all is pinned.")] = False,
) -> None:
    """Remove what no study and no notebook needs. A dry run unless --yes.

    `prunescope run` pins what its study needs, with all ancestors. A notebook pins with
    `prunescope.runs.store.housekeeping.pin(store, name, nodes)`. Pinned results are never removed.
    """
    from prunescope.runs.store import housekeeping

    store, console = options.existing_store(folder), answers()
    forgotten = set(unpin or [])
    kept = {name: ids for name, ids in store.pins().items() if name not in forgotten}
    for name in sorted(forgotten):
        housekeeping.check_pin(store, name)
    if not kept and not unpinned:
        raise UsageError(
            f"nothing in {store.url} would stay pinned, so everything would go; run a study (that pins it), "
            "or add --unpinned if that is what you want"
        )
    garbage = housekeeping.garbage(store, kept)
    for name, ids in kept.items():
        console.print(Text(f"kept: {name} ({len(ids)} results and their ancestors)"))
    removed = f"{len(garbage.runs)} runs, {len(garbage.readings)} readings, {len(garbage.leftovers)} leftovers"
    if not yes:
        names = [run[:12] for run in garbage.runs]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        console.print(Text(f"runs: {', '.join(names[:NAMED]) or 'none'}{more}"), soft_wrap=True)
        console.print(f"would remove {removed}: {size(garbage.size)}. Nothing was removed; --yes removes it")
        return
    housekeeping.remove(store, garbage, unpin=forgotten)
    console.print(f"removed {removed}: {size(garbage.size)}")
