"""Printed numbers: how a report prints one, and where a printed one stands in its folder.

Belongs here: printing, reading `summary.json` and `data/*.csv`, and finding a printed number in them. Does not belong
here: the runs behind a number, which the study itself knows (`cli/why.py`).
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.runs.store.storage import plain

NUMBER = re.compile(
    r"(?<![\w.,])[-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:e[-\u2212]?\d+)?(?![\w]|\.\d)"
)
"""A number in a text, that is no part of a word: 7.47, -0.5, .83, 9,131,430, 7e-8."""
IS_P = re.compile(r"\bp(_holm)?$")
"""The name of a column of p-values."""
_NUMBER, _WORD = (int, float, type(None)), (str, type(None))
_SUMMARY: dict[str, Any] = {"study": str, "scale": str, "settings": dict, "claims": list, "rule": _WORD}
_LATER: dict[str, Any] = {"command": str, "cost": dict}
_CLAIM: dict[str, Any] = {
    **dict.fromkeys(("name", "says", "basis", "place", "region", "unit", "by_interval", "said", "why", "over"), str),
    **dict.fromkeys(("estimate", "low", "high", "level", "p", "p_holm", "n"), _NUMBER),
    "by_paper": _WORD,
    "values": list,
}
"""Of what types a summary and its claims are; of older reports, the README says what came later."""


@dataclass(frozen=True)
class Stored:
    """A number of a report.

    value: at full precision.
    file: in the folder of the report.
    place: where in it, for people.
    claim, figure: the name of what it belongs to, if any.
    row: the other columns of a table's row.
    """

    value: float
    file: str
    place: str
    claim: str = ""
    figure: str = ""
    row: Mapping[str, str] | None = None


def number(value: object, name: str = "") -> str:
    """A value for the reader: three significant digits, a true minus sign, an exponent outside 1e-4 to 1e6.

    name: that of its column or row; a p is never so small that it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return str(value)
    if isinstance(value, int | np.integer):
        return str(value).replace("-", "−")
    real = float(value)
    if real == 0 or (abs(real) < 1e-12 and not IS_P.search(name)):
        return "0"  # what rounding left of a difference of nothing
    if 1e-4 <= abs(real) < 1e6:
        text = np.format_float_positional(real, precision=3, unique=False, fractional=False, trim="-")
    else:
        text = f"{real:.2e}"
    return text.replace("-", "−")


def value_of(printed: str) -> tuple[float, float]:
    """A printed number and half a unit of its last digit. Raises UsageError for what is none."""
    plain = printed.replace("\u2212", "-").replace(",", "").strip().removesuffix("%").strip()
    found = re.fullmatch(r"-?\d*\.?(\d*)(?:e(-?\d+))?", plain)
    if found is None or not re.search(r"\d", plain):
        raise UsageError(f"{printed!r} is no number; give one as it is printed, such as 7.47, or the name of a claim")
    decimals = len(found[1]) if "." in plain else 0
    if not decimals and "," not in printed and re.fullmatch(r"-?\d{4,}", plain) and plain.endswith("0"):
        decimals = 3 - len(plain.lstrip("-"))  # as reports print: three digits, then zeros
    if not math.isfinite(float(plain)):
        raise UsageError(f"{printed!r} is beyond any number of a report")
    return float(plain), 0.5 * 10.0 ** (int(found[2] or 0) - decimals)


def is_printed(printed: str, value: float) -> bool:
    """Whether a value, or what it is in percent, is printed so; a sign may have become a word ("less")."""
    number, half = value_of(printed)
    size = abs(number)
    return any(abs(abs(v) - size) <= half * (1 + 1e-9) for v in ((value, 100 * value) if abs(value) <= 1 else (value,)))


def homes(report: Path, printed: str) -> list[Stored]:
    """Where a printed number stands in a report: claims first, then cells of tables and what is made of them."""
    return [stored for stored in stored_numbers(report) if is_printed(printed, stored.value)]


def summary_of(report: Path) -> dict[str, Any]:
    """`summary.json` of a report. Raises UsageError for a folder that holds none."""
    path = Path(report) / "summary.json"
    if not path.is_file():
        below = sorted(str(one.parent) for one in Path(report).glob("*/summary.json"))
        hint = f"give one of {', '.join(below[:5])}" if below else "give the folder of a report"
        if not Path(report).exists():
            raise UsageError(f"there is no folder {report}; {hint}")
        raise UsageError(f"{report} holds no summary.json; {hint}")
    found = plain(path.read_bytes())
    if not _is_summary(found):
        raise _damaged(path)
    return dict(found)


def _is_summary(found: Any) -> bool:
    """Whether it says what a report says, in the types that its readers rely on."""
    later = _LATER if isinstance(found, dict) and found.keys() & _LATER.keys() else {}
    return _has(found, _SUMMARY | later) and all(
        _has(claim, _CLAIM)
        and all(isinstance(value, _NUMBER) for value in claim["values"])
        and (claim["estimate"] is None) == (claim["level"] is None)
        for claim in found["claims"]
    )


def _has(record: Any, types: Mapping[str, Any]) -> bool:
    return isinstance(record, dict) and all(isinstance(record.get(name, ...), kind) for name, kind in types.items())


def _damaged(path: Path) -> UsageError:
    return UsageError(f"{path} is not what a report writes; make it again: `prunescope report STUDY`")


def record_of(report: Path) -> tuple[str, dict[str, object]]:
    """The command that makes a report again, and what its runs cost; older reports have them in the README only."""
    summary = summary_of(report)
    if "command" in summary:
        return summary["command"], summary["cost"]
    path = Path(report) / "README.md"
    text = path.read_text() if path.is_file() else ""
    made = re.search(r"^Made by `(.*)`\.$", text, flags=re.M)
    table = re.search(r"^## Cost\n(.*?)(?=^## |^Made|\Z)", text, flags=re.M | re.S)
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table[1], flags=re.M) if table else []
    return made[1] if made else "", dict(rows)


def stored_numbers(report: Path) -> Iterator[Stored]:
    """All numbers of a report."""
    summary = summary_of(report)
    for claim in summary["claims"]:
        for name in ("estimate", "low", "high", "values", "n", "p", "p_holm", "level"):
            for value in claim[name] if name == "values" else [claim.get(name)]:
                if value is not None:
                    yield Stored(float(value), "summary.json", name, claim=claim["name"])
    for path in sorted((Path(report) / "data").glob("*.csv")):
        yield from _of_table(path)
    said = [{name: claim[name] for name in ("says", "place", "region", "unit", "why")} for claim in summary["claims"]]
    yield from _texts(summary | {"claims": said, "cost": record_of(report)[1]}, "")


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    try:
        with table.open(newline="", encoding="utf-8", errors="replace") as opened:
            rows = list(csv.DictReader(opened))
    except (csv.Error, OSError):
        raise _damaged(table) from None
    if any(None in row or None in row.values() for row in rows):  # longer or shorter than the first
        raise _damaged(table)
    return rows


def over_replicates(rows: Sequence[Mapping[str, str]]) -> Iterator[tuple[dict[str, str], str, list[float]]]:
    """The values of every column over rows that differ in the replicate only: their labels, the column, the values.

    A label is what comes back in other replicates, such as a level; a measured number hardly does.
    """
    if not rows or "replicate" not in rows[0]:
        return
    measured = {name for name in rows[0] if not _comes_back(name, rows)} | {"replicate"}
    groups: dict[tuple[tuple[str, str], ...], list[Mapping[str, str]]] = {}
    for row in rows:
        groups.setdefault(tuple((k, v) for k, v in row.items() if k not in measured), []).append(row)
    for labels, members in groups.items():
        for name in measured - {"replicate"}:
            values = [value for row in members if (value := _float(row[name])) is not None]
            if len(values) > 1:
                yield dict(labels), name, values


def _comes_back(name: str, rows: Sequence[Mapping[str, str]]) -> bool:
    pairs = {(row[name], row["replicate"]) for row in rows if row[name] not in ("True", "False")}
    return len(pairs) >= 1.5 * max(1, len({value for value, _ in pairs}))


def _of_table(path: Path) -> Iterator[Stored]:
    """Cells of a table, and mean, median and standard deviation over replicates."""
    file, rows, figure = f"data/{path.name}", rows_of(path), path.stem
    for number, row in enumerate(rows):
        for name, cell in row.items():
            if (value := _float(cell)) is not None:
                yield Stored(value, file, f"{name}, row {number + 1}", figure=figure, row=row)
    for labels, name, values in over_replicates(rows):
        spread = {"mean": np.mean(values), "median": np.median(values), "standard deviation": np.std(values, ddof=1)}
        for kind, result in spread.items():
            yield Stored(float(result), file, f"{kind} of {name} over replicates", figure=figure, row=labels)


def _texts(part: Any, path: str) -> Iterator[Stored]:
    """Numbers of settings and sentences, however deep they lie."""
    pending: list[tuple[Any, str]] = [(part, path)]
    while pending:
        part, path = pending.pop()
        if isinstance(part, Mapping):
            pending += [(inner, f"{path}.{name}".lstrip(".")) for name, inner in reversed(list(part.items()))]
        elif isinstance(part, list):
            pending += [(inner, path) for inner in reversed(part)]
        elif isinstance(part, int | float) and not isinstance(part, bool):
            yield Stored(float(part), "summary.json", path)
        elif isinstance(part, str):
            for found in NUMBER.finditer(part):
                yield Stored(value_of(found[0])[0], "summary.json", path)


def _float(cell: str | None) -> float | None:
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
