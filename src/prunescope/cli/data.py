"""Commands on data sets: ls, get, check.

Belongs here: arguments in, tables out. Does not belong here: where data lie and how they are fetched
(`tasks/data/files.py`).
"""

from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.text import Text

from prunescope.base.errors import DataError
from prunescope.cli.screen import answers, messages, size, table

app = typer.Typer(no_args_is_help=True, help="Data sets: where they lie, download, check.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from `prunescope data ls`.")]


@app.command("ls")
def ls() -> None:
    """List the data sets, and which of them are here.

    They lie in the folder PRUNESCOPE_DATA, by default in your cache. The handwritten digits of the quickstart ship
    with prunescope.
    """
    from prunescope.tasks.data.files import DATASETS, folder, present

    shown = table("name", "data set", "files", "size", "folder", right=("size",))
    for name, row in DATASETS.items():
        found = present(name)
        there = f"{len(found)} of {len(row.files)}"
        place = str(next(iter(found.values())).parent) if found else ""
        cells = (name, row.title, there, size(sum(path.stat().st_size for path in found.values())), place)
        shown.add_row(*(Text(cell) for cell in cells))
    console = answers()
    console.print(shown)
    console.print(Text(f"\ndata folder: {folder()}"), soft_wrap=True)


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

        def arrived(file: str, done: int, total: int) -> None:
            if file not in bars:
                bars[file] = progress.add_task(file)
            progress.update(bars[file], completed=done, total=total or None)

        target = download(name, arrived)
    console.print(Text(f"{name} is in {target}"), soft_wrap=True)


@app.command()
def check(name: Name) -> None:
    """Read a data set and say whether it is whole, and whether it is the published one.

    Exit code 1 if files are missing or damaged.
    """
    from prunescope.tasks.data.status import status

    found = status(name)
    shown = table("file", "size", "published", "path", right=("size",))
    for file in found.files:
        verdict = {True: "yes", False: "no, a variant", None: "cannot be told"}[file.published]
        there = str(file.path) if file.path else "missing"
        shown.add_row(*(Text(cell) for cell in (file.name, size(file.bytes), verdict, there)))
    console = answers()
    console.print(shown)
    console.print(Text(f"\n{name}: {found.state}"))
    if found.state != "present":
        raise DataError(found.problem or f"{name} is {found.state}")
