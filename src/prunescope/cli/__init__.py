"""The command line: thin commands over the library.

Commands import what they work with when they run, so that `prunescope list` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from prunescope import __version__
from prunescope.cli import data, doctor, listing, runs, sharing, study
from prunescope.cli.audit import audit
from prunescope.cli.problems import Commands
from prunescope.cli.why import why

app = typer.Typer(
    cls=Commands,
    name="prunescope",
    help="What does pruning do to a network's generalization, and why? Runs the experiments for real.",
    epilog="Begin with: prunescope list; prunescope plan quickstart; prunescope run quickstart",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"prunescope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a problem.")] = False,
) -> None:
    """Options before the command; both have done their work by now."""


app.command("list")(listing.list_studies)
app.command("show")(listing.show)
app.command("plan")(study.plan)
app.command("run")(study.run)
app.command("report")(study.report)
app.command("work")(study.work)
app.command("status")(study.status)
app.command("export")(sharing.export)
app.command("publish")(sharing.publish)
app.command("verify")(sharing.verify)
app.command("why")(why)
app.command("doctor")(doctor.doctor)
app.command("audit")(audit)
app.command("explain")(study.explain)
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")


def main() -> None:
    """The entry point of the command `prunescope`.

    Modules of the current folder can be imported, as under `python -m prunescope`, here and in worker processes, unless
    Python was started in its safe mode.
    """
    folder = str(Path.cwd())
    if not sys.flags.safe_path and folder not in sys.path:
        sys.path.insert(0, folder)
    app(prog_name="prunescope")
