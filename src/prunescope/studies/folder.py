"""The folder of a report: every file is written whole, and none stays of the report that was there before."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from prunescope.base.errors import UsageError
from prunescope.base.files import write_whole

SUMMARY = "summary.json"
PAGES = ("index.html", "README.md")
PLACES = ("figures/{}.svg", "data/{}.csv", "tables/{}.parquet")
"""Where the files of a figure or table lie, by its name."""


def require_folder(folder: Path) -> None:
    """Raises UsageError where a file stands in the place of a report's folder, or of one above it, or of its pages."""
    folder = Path(folder)
    if file := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise UsageError(f"{file} is a file, and a report is a folder; name another one")
    pages = [path for path in map(folder.joinpath, PAGES) if path.exists()]
    if pages and not (folder / SUMMARY).exists():
        raise UsageError(f"{pages[0]} is of no report, and would be replaced by one; name a folder of its own")


def written_before(folder: Path) -> set[str]:
    """The files that an earlier report in the folder may have of its figures."""
    try:
        figures = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["figures"]
        names = {name for name in figures if isinstance(name, str) and Path(name).name == name}
    except (OSError, ValueError, LookupError, TypeError):
        names = set()
    return {place.format(name) for place in PLACES for name in names}


def place(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes files by their names in the folder; the same texts give the same bytes on every system."""
    for name, text in texts.items():
        content = text.encode(errors="backslashreplace")  # a label may be a file's name that is no UTF-8
        write_whole(folder / name, partial(Path.write_bytes, data=content))


def remove(folder: Path, names: Iterable[str]) -> None:
    """Removes files of an earlier report that the new one does not have: their numbers are not of this study."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
