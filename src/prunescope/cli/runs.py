"""Commands on the store: ls, show, verify, gc.

Belongs here: arguments in, tables out. Does not belong here: how any of it is done (`runs/housekeeping.py`).
"""

from typing import Annotated

import typer
from rich.progress import track
from rich.text import Text

from prunescope.base.errors import UsageError
from prunescope.cli import options
from prunescope.cli.overrides import as_yaml
from prunescope.cli.problems import tell
from prunescope.cli.screen import answers, messages, size, table

app = typer.Typer(no_args_is_help=True, help="What is stored: list it, show one run, check it, tidy up.")

SOME = 20
"""How many runs a dry run names."""


@app.command("ls")
def ls(store: options.StoreFolder = options.STORE) -> None:
    """List all stored runs, the last finished first.

    Example: `prunescope runs ls --store /data/prunescope-store`
    """
    from prunescope.runs.display import duration
    from prunescope.runs.index import listing

    rows = listing(options.stored(store))
    numbers = ("noise", "level", "seed", "sparsity", "steps", "time", "size")
    shown = table("id", "status", "network", "data", *numbers, right=numbers)
    for row in rows:
        shares = f"{100 * row.noise:g} %", str(row.level), str(row.seed), f"{100 * row.sparsity:.1f} %"
        cells = (row.id[:12], row.status, row.network, row.data, *shares, str(row.steps))
        shown.add_row(*(Text(cell) for cell in (*cells, duration(row.seconds), size(row.size))))
    console = answers()
    console.print(shown)
    console.print(f"\n{len(rows)} runs, {size(sum(row.size for row in rows))}")


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="ID", help="The id of a run, or its first digits.")],
    store: options.StoreFolder = options.STORE,
) -> None:
    """Show what one run was: recipe, lineage, how it was executed.

    Example: `prunescope runs show 3fa9`
    """
    from prunescope.runs.housekeeping import find, lineage

    shop = options.stored(store)
    own, *parents = lineage(shop, find(shop, run))
    facts = {name: value for name, value in own.items() if name not in ("recipe", "parents")}
    chain = [{"id": one["id"], "status": one["status"], "sparsity": one.get("sparsity")} for one in parents]
    record = {"recipe": own["recipe"], "lineage": chain, **facts}
    answers().print(Text(as_yaml(record)), soft_wrap=True)


@app.command()
def verify(store: options.StoreFolder = options.STORE) -> None:
    """Read every stored file and compare it with the digest of its content.

    Exit code 1 if a file is damaged.
    """
    from prunescope.runs.housekeeping import files
    from prunescope.runs.housekeeping import verify as checks

    paths = files(options.stored(store))
    watched = track(checks(paths), "reading", total=len(paths), console=messages(), transient=True)
    damaged = [checked for checked in watched if checked.problem]
    answers().print(f"{len(paths) - len(damaged)} of {len(paths)} files are whole")
    if damaged:
        tell("\n".join(f"{checked.path}: {checked.problem}" for checked in damaged))
        raise typer.Exit(1)


@app.command()
def gc(
    store: options.StoreFolder = options.STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove; without it nothing happens.")] = False,
    unpin: Annotated[
        list[str] | None, typer.Option("--unpin", metavar="NAME", help="Forget a pin first; repeatable.")
    ] = None,
    unpinned: Annotated[
        bool, typer.Option("--unpinned", help="Go on even if nothing at all is pinned.")
    ] = False,
) -> None:
    """Remove what no study and no notebook needs. A dry run unless --yes.

    `prunescope run` pins what its study needs, with all ancestors. A notebook pins with
    `prunescope.runs.housekeeping.pin(store, name, nodes)`. Pinned results are never removed.
    """
    from prunescope.runs import housekeeping

    shop, console = options.stored(store), answers()
    forgotten = set(unpin or [])
    kept = {name: ids for name, ids in shop.pins().items() if name not in forgotten}
    for name in sorted(forgotten):
        housekeeping.check_pin(shop, name)
    if not kept and not unpinned:
        raise UsageError(
            f"nothing in {shop.root} would stay pinned, so everything would go; run a study (that pins it), "
            "or add --unpinned if that is what you want"
        )
    rubbish = housekeeping.garbage(shop, kept)
    for name, ids in kept.items():
        console.print(Text(f"kept: {name} ({len(ids)} results and their ancestors)"))
    goes = f"{len(rubbish.runs)} runs, {len(rubbish.readings)} readings, {len(rubbish.leftovers)} leftovers"
    if not yes:
        names = [path.name[:12] for path in rubbish.runs]
        more = f" and {len(names) - SOME} more" if len(names) > SOME else ""
        console.print(Text(f"runs: {', '.join(names[:SOME]) or 'none'}{more}"), soft_wrap=True)
        console.print(f"would remove {goes}: {size(rubbish.size)}. Nothing was removed; --yes removes it")
        return
    housekeeping.remove(shop, rubbish, unpin=forgotten)
    console.print(f"removed {goes}: {size(rubbish.size)}")
