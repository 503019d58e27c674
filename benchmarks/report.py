"""The report of all results: markdown, with the machine and the command, and versions and data of every section."""

import os
from collections.abc import Mapping, Sequence

from benchmarks.environment import NAMED, NO_GPU, graphics
from benchmarks.result import Result
from prunescope.runs.machine.devices import processor

HEAD = ("quantity", "median", "middle half", "unit", "target", "")
START = "\n## "
MADE = (
    "Made by `make bench` (`python -m benchmarks`), single questions by `python -m benchmarks --only QUESTION\n"
    "--save docs/benchmarks.md`; not edited by hand. What is compared was run in one process, alternating, round\n"
    "by round; a ratio is the median of the rounds' ratios."
)
SETTINGS = "one torch thread, float32, the memory settings of prunescope's worker processes"
OLDER = "Versions of sections that name none"


def heading(*, made: str = MADE, settings: str = SETTINGS) -> str:
    """What the report says before its first table: what all sections share, whenever they were measured."""
    facts = {
        "Machine": f"{processor()}, {os.cpu_count()} cores",
        "Settings": settings,
        "GPU": graphics(),
    }
    listed = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    return f"# Benchmarks\n\n{made}\n\n{listed}\n"


def section(title: str, text: str, rows: list[Result], environment: str) -> str:
    """One question: what was measured and when, and its table."""
    lines = [HEAD, ("---", "---:", "---:", "---", "---", "---"), *(row.cells for row in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{START}{title}\n\n{text}\n\n{environment}.\n\n{table}\n"


def merged(old: str, head: str, sections: Mapping[str, str], order: Sequence[str]) -> str:
    """An older report with some sections anew, in this order of titles; those of other questions last, as they are.

    Where the older report names versions in its heading, they stay there for the sections that name none.

    Raises ValueError if the older report is another machine's: numbers of two machines do not belong side by side.
    """
    before, *parts = old.split(START)
    if _machine(before) != _machine(head):
        raise ValueError(
            f"the report to save to was measured on {_machine(before)}, not on {_machine(head)}; save to another "
            "file, or ask all questions"
        )
    found = {part.partition("\n")[0]: START + part for part in parts} | dict(sections)
    asked = [found.pop(title) for title in order if title in found]
    whole = [*asked, *found.values()]
    if any(NAMED.search(text) is None for text in whole):
        head += "".join(f"- {OLDER}: {fact}\n" for fact in _older(_facts(before)))
    return head + "".join(whole)


def _older(facts: Mapping[str, str]) -> list[str]:
    """What the heading of an older report says of versions and data."""
    named = [facts[name] for name in ("Versions", "Data") if name in facts]
    return ["; ".join(named)] if named else [facts[OLDER]] if OLDER in facts else []


def _facts(head: str) -> dict[str, str]:
    """The list in a heading, by name."""
    lines = [line.removeprefix("- ") for line in head.splitlines() if line.startswith("- ")]
    return dict(line.split(": ", 1) for line in lines)


def _machine(head: str) -> str:
    """The processor, and the GPU if there is one."""
    facts = _facts(head)
    names = [facts.get(name, NO_GPU).partition(";")[0] for name in ("Machine", "GPU")]
    return " with ".join(name for name in names if name != NO_GPU) or "an unknown machine"


def missed(answers: Mapping[str, list[Result]]) -> str:
    """The targets that were not met, as one line each."""
    late = [row for rows in answers.values() for row in rows if row.verdict == "missed"]
    return "\n".join(f"missed: {row.what}: {row.cells[1]} {row.unit}, target {row.target}" for row in late)
