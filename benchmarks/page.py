"""The page of all results: markdown, with the machine, the versions and the command.

Belongs here: how results read. Does not belong here: measuring.
"""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.row import Row
from prunescope import __version__

HEAD = ("quantity", "median", "middle half", "unit", "target", "")
BUSY = 0.5
"""Load a core above which other work disturbs what is measured here."""


def heading(images: str) -> str:
    """What the page says before its first table."""
    load = os.getloadavg()[0]
    busy = " (**other programs are running: only ratios mean something**)" if load > BUSY else ""
    facts = {
        "Date": f"{datetime.now(UTC):%Y-%m-%d}",
        "Machine": f"{processor()}, {os.cpu_count()} cores; load at the start {load:.2f}{busy}",
        "Versions": f"prunescope {__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}",
        "Settings": "one torch thread, float32, the memory settings of prunescope's worker processes",
        "Data": images,
        "GPU": "none here; `python -m benchmarks.gpu` measures one, and until then its numbers are open",
    }
    listed = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    return (
        "# Benchmarks\n\n"
        "Made by `make bench` (`python -m benchmarks`); not edited by hand. What is compared was run in one process,\n"
        "alternating, round by round; a ratio is the median of the rounds' ratios.\n\n"
        f"{listed}\n"
    )


def section(title: str, text: str, rows: list[Row]) -> str:
    """One question: what was measured, and its table."""
    lines = [HEAD, ("---", "---:", "---:", "---", "---", "---"), *(row.cells for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"\n## {title}\n\n{text}\n\n{table}\n"


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
