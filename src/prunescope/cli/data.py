"""Commands on data sets: ls, get, check."""

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

    rows = table("name", "data set", "files", "size", "folder", right=("size",))
    for name, dataset in DATASETS.items():
        paths = list(present(name).values())
        count = f"{len(paths)} of {len(dataset.files)}"
        location = str(paths[0].parent) if paths else ""
        cells = (name, dataset.title, count, size(sum(path.stat().st_size for path in paths)), location)
        rows.add_row(*(Text(cell) for cell in cells))
    console = answers()
    console.print(rows)
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
        raise DataError(checked.problem or f"{name} is {checked.state}")
