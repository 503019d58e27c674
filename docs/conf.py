"""The documentation site: `make docs` builds it without network into docs/_build/html."""

import os
import re
from pathlib import Path
from typing import Any

import prunescope

HERE = Path(__file__).parent
GENERATED = HERE / "_generated"

project = "prunescope"
author = "The prunescope maintainers"
copyright = author
release = prunescope.__version__

extensions = ["sphinx.ext.autodoc", "myst_nb"]
exclude_patterns = ["_build", "**.ipynb_checkpoints", "results/*/*/data", "results/*/data", "notebooks/.*"]
myst_heading_anchors = 4
nb_execution_mode = os.environ.get("NOTEBOOKS", "off")  # `make notebooks` executes them, which takes minutes
nb_execution_timeout = 1500  # seconds on the clock for one cell: a busy machine is no fault of the notebook
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True
suppress_warnings = ["myst.header", "toc.not_included"]  # the atlas leads to the reports

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"

html_theme = "furo"
html_title = "prunescope"
html_static_path: list[str] = []

FLOORS = {
    "studies": "Studies: quantities, claims, figures",
    "audit": "Audit: two networks",
    "explain": "Explain: a designed experiment",
    "sharing": "Sharing: bundles and exports",
    "runs": "Recipes, readings, the store",
    "measures": "Measures",
    "training": "Training and interventions",
    "sparsity": "Scores and selection",
    "tasks": "Networks, data, targets",
    "base": "Values, seeds, moments",
}
"""The parts of the API, by package, in the order of the page."""


def write_api() -> None:
    """One page a package, from the names that `prunescope` itself offers."""
    names: dict[str, list[str]] = {floor: [] for floor in FLOORS}
    for name, home in prunescope._homes().items():
        names.setdefault(home.split(".")[1], []).append(name)
    GENERATED.mkdir(exist_ok=True)
    pages = [floor for floor in names if names[floor]]
    for floor in pages:
        entries = (f"```{{eval-rst}}\n.. {_entry(name)}\n```\n" for name in sorted(names[floor], key=str.lower))
        (GENERATED / f"{floor}.md").write_text(f"# {FLOORS.get(floor, floor.capitalize())}\n\n" + "\n".join(entries))
    head = "# API reference\n\nEverything below is `ps.NAME` after `import prunescope as ps`."
    listed = "\n".join(pages)
    (GENERATED / "api.md").write_text(f"{head}\n\n```{{toctree}}\n{listed}\n```\n")


def _entry(name: str) -> str:
    thing = getattr(prunescope, name)
    if getattr(thing, "__module__", "").startswith("prunescope"):
        return f"{'autoclass' if isinstance(thing, type) else 'autofunction'}:: prunescope.{name}"
    return f"py:data:: prunescope.{name}\n\n   ``{thing}``"  # a name for a type, whose docstring is another's


_FIELD = re.compile(r"^([a-z_]\w*(?:, [a-z_]\w*)*): ")
OUTSIDE = {"](../LOG.md": "](log.md", "](../CHANGELOG.md": "](changes.md", "](../../README.md": "](../index.md"}
"""Links to files beside the docs, and the pages that hold them here."""


def render(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """A docstring in plain text and Markdown's backticks as reStructuredText; "name: what it is" becomes an item."""
    text: list[str] = []
    for paragraph in "\n".join(lines).strip("\n").split("\n\n"):
        rows = paragraph.split("\n")
        if all(row.startswith("    ") for row in rows):
            rows = ["::", "", *rows]
        elif any(_FIELD.match(row) for row in rows):
            rows = _items(rows)
        else:
            rows = [_escaped(row.strip()) for row in rows]
        text += [*rows, ""]
    lines[:] = text


def _items(rows: list[str]) -> list[str]:
    items: list[str] = []
    for row in rows:
        if found := _FIELD.match(row):
            items += ["", f"* **{_escaped(found[1])}**: {_escaped(row[found.end() :])}"]
        else:
            items.append(f"  {_escaped(row.strip())}" if items else _escaped(row))
    return items


def _escaped(text: str) -> str:
    """Text whose stars, bars and underscores are meant as they are, with code in double backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*|_\\])", r"\\\1", part) for part in parts[::2]]
    return "``".join(parts)


def stay_inside(app: Any, page: str, source: list[str]) -> None:
    """Links to files beside the docs lead to the pages that hold them."""
    for outside, inside in OUTSIDE.items():
        source[0] = source[0].replace(outside, inside)


def skip(app: Any, what: str, name: str, obj: Any, is_skipped: bool, options: Any) -> bool:
    """What pydantic and dataclasses add to a class is not ours to document."""
    return is_skipped or name.startswith("model_") or name in ("by_id", "added", "references", "canonical")


def setup(app: Any) -> None:
    """Writes the pages of the API before they are read."""
    write_api()
    app.connect("autodoc-process-docstring", render)
    app.connect("source-read", stay_inside)
    app.connect("autodoc-skip-member", skip)
