"""Fills the tables of the docs from the data of published reports: `python tools/fill_tables.py`.

A table stands between `<!-- table: DATA.csv; rows: A; columns: B; values: C -->` and `<!-- end of table -->`; DATA is
relative to the page. Cells are mean ± standard deviation over the replicates that share A and B; B is rounded to
three digits. What is between the marks is replaced; a table without data is left alone.

Belongs here: this one edit. Does not belong here: making reports (`prunescope run`).
"""

import csv
import re
import statistics
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
MARKED = re.compile(
    r"(<!-- table: (?P<data>\S+); rows: (?P<rows>\w+); columns: (?P<columns>\w+); values: (?P<values>\w+) -->\n)"
    r".*?(?P<end><!-- end of table -->)",
    re.DOTALL,
)


def main() -> None:
    """Fills every table of every page, and says which."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        filled = MARKED.sub(lambda mark, page=page: replaced(mark, page.parent), text)
        if filled != text:
            page.write_text(filled)
            print(f"filled {page}")


def replaced(mark: re.Match[str], folder: Path) -> str:
    """The marks with a table between them; as they were where there is no data."""
    data = folder / mark["data"]
    if not data.exists():
        return mark[0]
    with data.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return f"{mark[1]}{table(rows, mark['rows'], mark['columns'], mark['values'])}{mark['end']}"


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
    """Mean and standard deviation; empty for no value."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.2f}" if len(set(values)) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


if __name__ == "__main__":
    main()
