"""All studies that ship with prunescope, read from their files without importing them.

A study's file says what it is in three places, which are read here as text:

- its docstring begins with "name: question?";
- `COST` is a dictionary from the name of each scale to what it costs in words, on two cores where it names
  no machine;
- `FIGURE` says which part of the paper it is.

The reference of a paper stands in `PAPERS` of its folder, by the part of the names before "/".
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

_FOLDER = Path(__file__).parent
_ORDER = ("quickstart", "jin2022", "bartoldson2019", "bartoldson2020", "yang2023", "atinit", "cross")
QUESTIONS: Mapping[str, str] = MappingProxyType(
    {"yang2023": "Does mild random pruning at initialization help, and do over-pruned networks memorize and guess?"}
)
"""What a paper asks as a whole, where no study is of the whole paper."""
_TITLE = re.compile(r"(?P<name>[a-zA-Z0-9/-]+): (?P<question>.+\?.*)")


@dataclass(frozen=True)
class Entry:
    """One study.

    name: what the command line calls it.
    question: one sentence.
    module: import path of its file.
    scales: estimated cost in words, by the name of the scale.
    paper, figure: where the question comes from; empty for none.
    """

    name: str
    question: str
    module: str
    scales: Mapping[str, str]
    paper: str = ""
    figure: str = ""


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every study, in the order of reading: paper by paper, figures first, then appendices and other studies."""
    return tuple(sorted(_entries(), key=_place))


def _entries() -> Iterator[Entry]:
    for path in _FOLDER.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "\nCOST = " not in text:
            continue
        module = ast.parse(text)
        title = _TITLE.fullmatch(" ".join((ast.get_docstring(module) or "").split("\n\n")[0].split()))
        if title is None:
            raise SyntaxError(f"{path} has COST, but its docstring does not begin with 'name: question?'")
        constants = _constants(module)
        yield Entry(
            title["name"],
            title["question"],
            ".".join(("prunescope.papers", *path.relative_to(_FOLDER).with_suffix("").parts)),
            {s: cost if " on " in cost else f"{cost} on 2 cores" for s, cost in constants["COST"].items()},
            reference(title["name"], path.parent),
            constants.get("FIGURE", ""),
        )


def reference(name: str, folder: Path) -> str:
    """The paper that a study's name begins with, from `PAPERS` of its folder; empty if there is none."""
    papers = _constants(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))).get("PAPERS", {})
    return str(papers.get(name.split("/")[0], ""))


def _constants(module: ast.Module) -> dict[str, Any]:
    """What is assigned to the names in capitals that this page reads, as plain data."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("COST", "FIGURE", "PAPERS")
    }


def _place(entry: Entry) -> tuple[object, ...]:
    """Where a study stands: its paper, the whole paper first; figures by number, sections, appendices, the others."""
    paper, _, part = entry.name.partition("/")
    kinds = (r"fig\d", "section", "app|fig")
    kind = next((place for place, kind in enumerate(kinds) if re.match(kind, part)), len(kinds))
    return (_ORDER.index(paper), bool(part), kind, [int(n) for n in re.findall(r"\d+", part)], part)
