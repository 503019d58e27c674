"""The page of all results: markdown, with the machine, the versions and the command.

Belongs here: how results read. Does not belong here: measuring.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.row import Row
from prunescope import __version__

HEAD = ("quantity", "median", "middle half", "unit", "target", "")
START = "\n## "
MADE = (
    "Made by `make bench` (`python -m benchmarks`), single questions by `python -m benchmarks --only QUESTION\n"
    "--save docs/benchmarks.md`; not edited by hand. What is compared was run in one process, alternating, round\n"
    "by round; a ratio is the median of the rounds' ratios."
)
SETTINGS = "one torch thread, float32, the memory settings of prunescope's worker processes"
BUSY = 0.5
"""Load a core above which other work disturbs what is measured here."""


def heading(images: str, *, made: str = MADE, settings: str = SETTINGS) -> str:
    """What the page says before its first table."""
    facts = {
        "Machine": f"{processor()}, {os.cpu_count()} cores",
        "Versions": f"prunescope {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}",
        "Settings": settings,
        "Data": images,
        "GPU": graphics(),
    }
    listed = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    return f"# Benchmarks\n\n{made}\n\n{listed}\n"


def graphics() -> str:
    """The GPU and its libraries, if there is one."""
    if not torch.cuda.is_available():
        return "none here; `python -m benchmarks.gpu` measures one, and until then its numbers are open"
    libraries = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"  # type: ignore[no-untyped-call]
    return f"{torch.cuda.get_device_name()}, {libraries}; measured by `python -m benchmarks.gpu`"


def occasion() -> str:
    """When a question was asked, and whether other programs were running."""
    load = os.getloadavg()[0]
    busy = (
        ": **other programs are running, only ratios mean something**"
        if load > BUSY * (os.cpu_count() or 1)
        else ""
    )
    return f"{datetime.now(UTC):%Y-%m-%d}, load {load:.2f} at the start{busy}"


def section(title: str, text: str, rows: list[Row], occasion: str) -> str:
    """One question: what was measured and when, and its table."""
    lines = [HEAD, ("---", "---:", "---:", "---", "---", "---"), *(row.cells for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{START}{title}\n\n{text}\n\n{occasion}.\n\n{table}\n"


def merged(old: str, head: str, sections: Mapping[str, str], order: Sequence[str]) -> str:
    """An older page with some sections anew, in this order of titles.

    Raises ValueError if the older page is another machine's: numbers of two machines do not belong side by side.
    """
    before, *parts = old.split(START)
    if _machine(before) != _machine(head):
        raise ValueError(
            f"the page to save to was measured on {_machine(before)}, not on {_machine(head)}; save to another "
            "file, or ask all questions"
        )
    found = {part.partition("\n")[0]: START + part for part in parts} | dict(sections)
    return head + "".join(found[title] for title in order if title in found)


def _machine(head: str) -> str:
    """The processor, and the GPU if there is one."""
    lines = dict(
        line.removeprefix("- ").split(": ", 1) for line in head.splitlines() if line.startswith("- ")
    )
    names = [lines.get(name, "none here").partition(";")[0] for name in ("Machine", "GPU")]
    return " with ".join(name for name in names if name != "none here") or "an unknown machine"


def missed(answers: Mapping[str, list[Row]]) -> str:
    """The targets that were not met, as one line each."""
    late = [row for rows in answers.values() for row in rows if row.verdict == "missed"]
    return "\n".join(f"missed: {row.what}: {row.cells[1]} {row.unit}, target {row.target}" for row in late)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
