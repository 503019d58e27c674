"""Options that several commands share: names, defaults and help; and what opens a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prunescope.base.errors import UsageError

if TYPE_CHECKING:
    from prunescope.runs.store.store import Store

STORE = "prunescope-store"
REPORTS = Path("prunescope-reports")

Study = Annotated[
    str, typer.Argument(metavar="STUDY", help="A name from `prunescope list`, a file.py, or module:NAME.")
]
Scale = Annotated[
    str | None,
    typer.Option("--scale", help="How large: smoke, laptop or paper, where the study has it.", show_default="laptop"),
]
Set = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="FIELD=VALUE", help="Change a setting, e.g. -s noise=[0,0.2]; repeatable."),
]
Settings = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="Change settings as a YAML file says; -s wins.")
]
StoreFolder = Annotated[
    str,
    typer.Option("--store", envvar="PRUNESCOPE_STORE", help="What holds all results: a folder, or s3://bucket/folder."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        file_okay=False,
        help="The folder for the report; changed settings have one of their own.",
        show_default="./prunescope-reports/<study>",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Processes to use.", show_default="one a core, or one a GPU; one for little work"
    ),
]
Stack = Annotated[
    int | None,
    typer.Option(
        "--stack",
        min=1,
        help="Most runs that train in one program, fewer where a worker's share of 40 % of the free memory holds "
        "no more; 1 trains each by itself.",
        show_default="as measured to be fastest",
    ),
]
UntilDecided = Annotated[
    bool, typer.Option("--until-decided", help="Add replicates until every claim is decided, or there are --most.")
]
Most = Annotated[
    int | None, typer.Option("--most", min=3, help="The most replicates with --until-decided.", show_default="20")
]
Null = Annotated[
    bool,
    typer.Option("--null", help="Replace every treatment by another dense seed: no difference may then be decided."),
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON, for programs.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:1.")]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="How runs are trained, one at a time unless --stack says more: loop (the reference) or lean (in place; on "
        "a CPU with faster products for work of 20 s or more).",
        show_default="lean on a CPU, as measured on a GPU",
    ),
]


Executor = Annotated[
    str, typer.Option("--executor", help="processes on this machine, or ray: tasks of Ray, here or on a cluster.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Of the Ray cluster: auto or HOST:PORT.", show_default="Ray is started here"),
]


def ray_of(executor: str, address: str | None) -> str | None:
    """Where Ray is, as `ensure` takes it; None where processes work. Raises UsageError for other executors."""
    if executor not in ("processes", "ray"):
        raise UsageError(f"--executor {executor}: there are processes and ray")
    if executor == "processes" and address is not None:
        raise UsageError(f"--address {address} is for --executor ray")
    return (address or "local") if executor == "ray" else None


def is_store(address: str) -> bool:
    """Whether there is a store at an address."""
    from prunescope.runs.store import opening

    return opening.is_store(address)


def existing_store(address: str) -> Store:
    """The store at an address. Raises UsageError if there is none."""
    from prunescope.runs.store.opening import open_store

    return open_store(address)
