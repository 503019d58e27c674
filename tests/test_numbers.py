"""Every number in the README and in docs/results has a home: a stored report that the paragraph links, or a reason.

What fails says what to do. Reasons are in `numbers_without_report.md`.
"""

import functools
import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import pytest

from prunescope.studies.numbers import (
    NUMBER,
    is_printed,
    over_replicates,
    rows_of,
    stored_numbers,
    summary_of,
    value_of,
)
from prunescope.studies.statistics import false_positive_rate, t_interval

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
PAGES = [ROOT / "README.md", ROOT / "docs" / "tour.md", *sorted(RESULTS.rglob("*.md"))]
REASONS = Path(__file__).parent / "numbers_without_report.md"
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
INTERVAL = re.compile(rf"\[({NUMBER.pattern}), ({NUMBER.pattern})\]")
NO_NUMBERS = re.compile(
    r"```.*?```|^    .*?$|`[^`\n]*`|!?\[[^\]\n]*\]\([^)]*\)|<!--.*?-->"  # code and links
    r"|et al\.,? \d{4}|(?:Fig|Figs|Table|Tables|Appendix|section|Section|Python)s?\.? \d[\w.]*(?:(?: and |, )\d\w*)*"
    r"|\b[A-Z]\w*(?:-\d+)+(?:\.\d+)?|\d+-bit|\b\d+ ?(?:MB|GB|GiB|MiB)\b|\b\d+ x \d+\b",  # names and sizes
    flags=re.S | re.M,
)
"""What holds digits that are no numbers: code, addresses, names of networks, figures and years of papers, sizes."""
LISTS = re.compile(r"(?<=[\w] )\[[-\d., ]+\](?= \(there )|(?<=\(there )\[[-\d., ]+\]")
"""Settings that are lists, beside those of the paper."""
CHANCE = sorted(100 * false_positive_rate(n) for n in range(3, 21))
"""How often the rule of one standard deviation fires in vain, percent: every report prints it."""


@functools.cache
def pool(report: Path) -> list[float]:
    """Sizes of all numbers of a report, and of shares in percent."""
    sizes = [abs(stored.value) for stored in stored_numbers(report)]
    return sorted({*sizes, *(100 * size for size in sizes if size <= 1)})


@functools.cache
def intervals(report: Path) -> list[tuple[float, ...]]:
    """Low end, high end and what may be their estimate: of claims, and of tables' columns *low and *high."""
    found = [(c["low"], c["high"], c["estimate"]) for c in summary_of(report)["claims"] if c["low"] is not None]
    for table in (report / "data").glob("*.csv"):
        rows = rows_of(table)
        for row in rows:
            cells = {name: float(cell) for name, cell in row.items() if re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell or "")}
            for low in (name for name in cells if name.endswith("low")):
                high = low.removesuffix("low") + "high"
                found += [(cells[low], cells[high], *cells.values())] if high in cells else []
        for _, _, values in over_replicates(rows):
            interval = t_interval(values, level=0.95)
            found.append((interval.low, interval.high, interval.estimate))
    return found


def reports_of(page: Path, block: str) -> list[Path]:
    """The reports that a block of a page can be about: those it links, that of its folder, or those just below."""
    linked = [(page.parent / target).resolve() for target in LINK.findall(block) if "://" not in target]
    folders = [path if path.is_dir() else path.parent for path in linked]
    folders += [page.parent, *(path.parent for path in page.parent.glob("*/summary.json") if page.parent != RESULTS)]
    return list(dict.fromkeys(folder for folder in folders if (folder / "summary.json").is_file()))


def blocks(page: Path, text: str) -> Iterator[str]:
    """Paragraphs, items of lists and rows of tables; a generated page's captions, notes and cost are left out.

    Those are sentences of the study's source, and records of the store.
    """
    if page.name == "README.md" and (page.parent / "summary.json").is_file():
        text = re.sub(r"^## (?:Notes|Cost)\n.*?(?=^## |\Z)", "", text, flags=re.S | re.M)
        text = re.sub(r"^.*\[Data\]\(data/.*$", "", text, flags=re.M)
    yield from re.split(r"\n\s*\n|\n(?=- )|\n(?=\|)", re.sub(r"```.*?```", "", text, flags=re.S))


@functools.cache
def reasons() -> list[tuple[str, str]]:
    """Page and the words that hold a number, of every exemption."""
    rows = [line.strip("| ").split(" | ") for line in REASONS.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) <= 30, "so many numbers without a report are none that readers can trust"
    assert all(len(row) == 3 and row[2].strip() for row in rows), "every exemption has a page, words and a reason"
    return [(page.strip("` "), words.strip()) for page, words, _ in rows]


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def homeless(page: Path, text: str) -> list[str]:
    """Every number of a page without a home, with what to do."""
    name, problems = str(page.relative_to(ROOT)), []
    for block in blocks(page, text):
        reports = reports_of(page, block)
        text = NO_NUMBERS.sub(" ", plain(LISTS.sub(" ", block)))
        for where, words in reasons():
            text = text.replace(words, " ") if where == name else text
        for found in INTERVAL.finditer(text):
            if not any(_is_estimated(found, text, ends) for report in reports for ends in intervals(report)):
                cure = _cure(reports)
                problems.append(f"{name}: {found[0]}, with its estimate before it, is no interval of a claim: {cure}")
        for found in NUMBER.finditer(text):
            if not any(_near(found[0], sizes) for sizes in (CHANCE, *map(pool, reports))):
                around = text[max(0, found.start() - 50) : found.end() + 30]
                problems.append(f"{name}: {found[0]} in \u201c{around}\u201d: {_cure(reports)}")
    return problems


def _is_estimated(found: re.Match[str], text: str, ends: tuple[float, ...]) -> bool:
    """Whether an interval, or its ends the other way round, is that of a claim whose estimate precedes it."""
    low, high, *middles = ends
    size = min(abs(value_of(found[1])[0]), abs(value_of(found[2])[0]))
    if not any(abs(factor * min(abs(low), abs(high)) - size) < 0.5 + 0.005 * size for factor in (1, 100)):
        return False  # soon, since there are many
    if not any(is_printed(found[1], a) and is_printed(found[2], b) for a, b in ((low, high), (high, low))):
        return False
    before = [number[0] for number in NUMBER.finditer(text[max(0, found.start() - 150) : found.start()])]
    return any(is_printed(printed, middle) for printed in before for middle in middles)


def _near(printed: str, sizes: list[float]) -> bool:
    number, half = value_of(printed)
    place = bisect_left(sizes, abs(number) - half * (1 + 1e-9))
    return place < len(sizes) and sizes[place] <= abs(number) + half * (1 + 1e-9)


def _cure(reports: list[Path]) -> str:
    names = ", ".join(str(report.relative_to(ROOT)) for report in reports)
    first = (
        f"not in {names}; `prunescope why {names.split(', ')[0]} CLAIM` prints a claim's" if reports else "no report"
    )
    return f"{first}. Print the report's number, link its report in this paragraph, or give a reason in {REASONS.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_number_has_a_home(page: Path) -> None:
    problems = homeless(page, page.read_text())
    assert not problems, f"{len(problems)} numbers without a home\n" + "\n".join(problems)


def test_a_changed_number_is_noticed() -> None:
    """Of numbers with three digits or more, each changed by some units of its last digit, most lose their home."""
    page = RESULTS / "README.md"
    text = page.read_text()
    places = [m for m in NUMBER.finditer(text) if re.fullmatch(r"-?\d+\.\d+", m[0]) and len(m[0]) >= 4]
    noticed = 0
    for place in places[::4]:
        changed = f"{float(place[0]) + 3 * 10.0 ** -len(place[0].split('.')[1]):.{len(place[0].split('.')[1])}f}"
        block = text[: place.start()] + changed + text[place.end() :]
        start, end = text.rfind("\n- ", 0, place.start()), text.find("\n- ", place.end())
        noticed += bool(homeless(page, block[start : end if end > 0 else None]))
    assert noticed >= 0.7 * len(places[::4])
