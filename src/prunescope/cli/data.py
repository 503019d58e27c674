"""Commands on data sets: ls, get, check, rm."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.text import Text

from prunescope.cli import options
from prunescope.cli.problems import print_problem
from prunescope.cli.screen import answers, messages, size, table

app = typer.Typer(no_args_is_help=True, help="Data sets: where they lie, download, check.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from `prunescope data ls`.")]


@app.command("ls")
def ls(as_json: options.AsJson = False) -> None:
    """List the data sets, which of them are here, and your own.

    They lie in the folder PRUNESCOPE_DATA, by default in your cache. The handwritten digits of the quickstart ship
    with prunescope.
    """
    from prunescope.tasks.data.files import folder

    console, published, yours = answers(), _published(), _yours()
    if as_json:
        console.print_json(json.dumps({"folder": str(folder()), "published": published, "yours": yours}))
        return
    rows = table("name", "data set", "files", "size", "folder", right=("size",))
    for row in published:
        count = f"{row['files']} of {row['all files']}"
        cells = (row["name"], row["title"], count, size(row["bytes"]), row["folder"])
        rows.add_row(*(Text(cell) for cell in cells))
    console.print(rows)
    if yours:
        rows = table("name", "your own data", "classes", "groups", "size", "last used", right=("size",))
        for row in yours:
            few = (_few(row.get(part, ())) for part in ("classes", "groups"))
            about = ("", "") if "bytes" not in row else (size(row["bytes"]), row["used"])
            rows.add_row(*(Text(cell) for cell in (row["name"], row["holds"], *few, *about)))
        console.print()
        console.print(rows)
        console.print(Text("\n`prunescope data rm NAME` removes one of your own"))
    console.print(Text(f"\ndata folder: {folder()}"), soft_wrap=True)


def _published() -> list[dict[str, Any]]:
    """The published data sets, and what of them is here."""
    from prunescope.tasks.data.files import DATASETS, present

    rows = []
    for name, dataset in DATASETS.items():
        paths = list(present(name).values())
        here = {"files": len(paths), "all files": len(dataset.files), "bytes": sum(p.stat().st_size for p in paths)}
        rows.append({"name": name, "title": dataset.title, **here, "folder": str(paths[0].parent) if paths else ""})
    return rows


def _yours() -> list[dict[str, Any]]:
    """The user's own arrays and folders of pictures."""
    from prunescope.tasks.data.library import SHORT, holdings, links

    rows: list[dict[str, Any]] = []
    for row in holdings():
        parts = {name: row.shapes.get(f"{name}_x", ()) for name in ("train", "test")}
        shapes = ", ".join(f"{name} {' × '.join(map(str, shape)) or '?'}" for name, shape in parts.items())
        named = {"classes": list(row.class_names), "groups": list(row.groups)}
        used = datetime.fromtimestamp(row.used).strftime("%Y-%m-%d %H:%M")
        rows.append({"name": row.digest[:SHORT], "holds": shapes, **named, "bytes": row.bytes, "used": used})
    return [*rows, *({"name": name, "holds": f"pictures in {place}"} for name, place in links())]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f", ... ({len(names)})" if len(names) > 4 else "")


@app.command()
def rm(name: Annotated[str, typer.Argument(metavar="NAME", help="The beginning of a name of your own data.")]) -> None:
    """Remove arrays of your own from the data folder, or the link to a folder of pictures.

    Runs that were trained on them stay; what has to be computed anew from them needs them given again.
    """
    from prunescope.tasks.data.library import remove

    answers().print(Text(f"removed; {size(remove(name))} are free"))


@app.command()
def get(name: Name) -> None:
    """Download a data set, compared with its published checksum.

    Example: `prunescope data get mnist`
    """
    from prunescope.tasks.data.files import dataset, download, present

    console = answers()
    if len(present(name)) == len(dataset(name).files):
        console.print(Text(f"{name} is already here; `prunescope data check {name}` reads it"))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=messages(), transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def progressed(file: str, done: int, total: int) -> None:
            if file not in bars:
                bars[file] = progress.add_task(file)
            progress.update(bars[file], completed=done, total=total or None)

        target = download(name, progressed)
    console.print(Text(f"{name} is in {target}"), soft_wrap=True)


@app.command()
def check(name: Name) -> None:
    """Read a data set and say whether it is whole, and whether it is the published one.

    Exit code 1 if files are missing or damaged.
    """
    from prunescope.tasks.data.status import status

    checked = status(name)
    rows = table("file", "size", "published", "path", right=("size",))
    for file in checked.files:
        verdict = {True: "yes", False: "no, a variant", None: "cannot be told"}[file.published]
        location = str(file.path) if file.path else "missing"
        rows.add_row(*(Text(cell) for cell in (file.name, size(file.bytes), verdict, location)))
    console = answers()
    console.print(rows)
    console.print(Text(f"\n{name}: {checked.state}"))
    if checked.state != "present":
        print_problem(checked.problem or f"{name} is {checked.state}")
        raise typer.Exit(1)
