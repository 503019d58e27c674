"""Fills the tables of the docs from the data of published reports: `python tools/fill_tables.py`.

A table stands between `<!-- table: DATA.csv; rows: A; columns: B; values: C -->` and `<!-- end of table -->`; DATA is
relative to the page; `; where: D = 20` after C takes only the rows in which column D is that number. Cells are the mean
over the replicates that share A and B ± half of its 95 % interval (Student); B is rounded to three digits. Claims stand
between `<!-- claims: SUMMARY.json; names: A B -->` and
`<!-- end of claims -->`. What is between the marks is replaced; what has no data is left alone.

Belongs here: this one edit. Does not belong here: making reports (`prunescope run`).
"""

import csv
import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path

from prunescope.studies.statistics import t_interval

DOCS = Path(__file__).parent.parent / "docs"
MARKED = re.compile(
    r"(<!-- table: (?P<data>\S+); rows: (?P<rows>\w+); columns: (?P<columns>\w+); values: (?P<values>\w+)"
    r"(?:; where: (?P<where>\w+) = (?P<number>[\d.]+))? -->\n)"
    r".*?(?P<end><!-- end of table -->)",
    re.DOTALL,
)
CLAIMED = re.compile(
    r"(<!-- claims: (?P<data>\S+); names: (?P<names>[\w. -]+) -->\n).*?(?P<end><!-- end of claims -->)",
    re.DOTALL,
)


def main() -> None:
    """Fills every table of every page, and says which."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        filled = MARKED.sub(filler(page.parent, from_rows), text)
        filled = CLAIMED.sub(filler(page.parent, from_claims), filled)
        if filled != text:
            page.write_text(filled)
            print(f"filled {page}")


def filler(folder: Path, fill: Callable[[re.Match[str], str], str]) -> Callable[[re.Match[str]], str]:
    """From marks to marks with a table between them; as they were where there is no data."""

    def replaced(mark: re.Match[str]) -> str:
        data = folder / mark["data"]
        return f"{mark[1]}{fill(mark, data.read_text())}{mark['end']}" if data.exists() else mark[0]

    return replaced


def from_rows(mark: re.Match[str], data: str) -> str:
    """The table of a CSV."""
    rows = list(csv.DictReader(data.splitlines()))
    if mark["where"]:
        rows = [row for row in rows if float(row[mark["where"]]) == float(mark["number"])]
    return table(rows, mark["rows"], mark["columns"], mark["values"])


def from_claims(mark: re.Match[str], data: str) -> str:
    """One line a claim of a report's summary, in the order of the names. Raises KeyError for an unknown name."""
    claims = {claim["name"]: claim for claim in json.loads(data)["claims"]}
    lines = ["| claim | basis | verdict | estimate [interval] | n |", "|---|---|---|---|---:|"]
    for claim in (claims[name] for name in mark["names"].split()):
        found = "none"
        if claim.get("low") is not None:
            found = f"{claim['estimate']:.3g} [{claim['low']:.3g}, {claim['high']:.3g}] {claim['unit']}"
        said = claim.get("said") or claim["by_interval"]
        over = claim.get("over", "replicates")
        n = f"{claim['n']} {over}" if over != "replicates" else claim["n"]
        lines.append(f"| {claim['says']} | {claim['basis']} | {said} | {found} | {n} |")
    return "\n".join(lines) + "\n"


def table(rows: list[dict[str, str]], row: str, column: str, value: str) -> str:
    """Markdown with a line for every `row`, the columns descending."""
    cells: dict[str, dict[str, dict[str, float]]] = {}
    for one in rows:  # a row that is shown in several panels counts once
        at = cells.setdefault(one[row], {}).setdefault(f"{float(one[column]):.3g}", {})
        at[one["replicate"]] = float(one[value])
    columns = sorted({name for line in cells.values() for name in line}, key=float, reverse=True)
    lines = [
        f"| {row.replace('_', ' ')} \\ {column.replace('_', ' ')} | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    lines += [
        f"| {name} | " + " | ".join(cell([*line.get(c, {}).values()]) for c in columns) + " |"
        for name, line in cells.items()
    ]
    return "\n".join(lines) + "\n"


def cell(values: list[float]) -> str:
    """Mean and half of its interval, which one value or equal ones do not have; empty for no value."""
    if not values:
        return ""
    half = f" ± {t_interval(values).high - statistics.fmean(values):.2f}" if len(set(values)) > 1 else ""
    return f"{statistics.fmean(values):.2f}{half}"


if __name__ == "__main__":
    main()
