"""The report of a study: one page that stands alone, with the figures, data and verdicts beside it as files.

Belongs here: what the report says, and writing it; the only part of the studies that touches the disk. Does not
belong here: judging (`judging.py`), verdicts as plain data (`summary.py`) and drawing (`plots.py`). How the page looks
is in `templates/`.

Equal inputs give equal bytes: nothing is dated, and nothing depends on the machine unless it is passed in.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from prunescope.base.errors import DataError, PrunescopeError, UsageError
from prunescope.base.records import columns
from prunescope.studies.claim import Verdict
from prunescope.studies.explore import points_of
from prunescope.studies.extent import flat
from prunescope.studies.figure import Figure, csv_text
from prunescope.studies.folder import PAGES, SUMMARY, place, remove, require_folder, written_before
from prunescope.studies.judging import cautions_of, judge_study
from prunescope.studies.numbers import number
from prunescope.studies.plot import Lines, Listing, NothingToDraw, Table
from prunescope.studies.registration import Registration
from prunescope.studies.results import Results
from prunescope.studies.study import Study
from prunescope.studies.summary import described, json_text, summary, summary_sentence
from prunescope.studies.svg import side_by_side, width

Record = Mapping[str, object]


@dataclass(frozen=True, repr=False)
class Written:
    """What was written: the page, the verdicts that it shows, its first sentence, and why runs failed, by run id."""

    page: Path
    verdicts: tuple[Verdict, ...]
    sentence: str
    failures: Mapping[str, str]

    def __repr__(self) -> str:
        return f"{self.sentence}\nreport: {self.page}"

    def _repr_html_(self) -> str:
        return framed(self.page)


RECORDS = 300
"""Runs whose recipes a page shows at most: a megabyte."""
WIDE = 350.0
"""Width of a panel, points, beyond which a page shows at most two beside each other."""
BAR = r"\|"
"""A bar in a cell of Markdown."""


@dataclass(frozen=True)
class Drawn:
    """A figure with all its texts, or the reason why it could not be drawn, and the verdicts that it bears on."""

    figure: Figure
    why_not: str = ""
    svg: str = ""
    panels: tuple[Markup, ...] = ()
    csv: str = ""
    table: Table = ()
    points: str = ""
    verdicts: tuple[Verdict, ...] = ()

    @property
    def listed(self) -> bool:
        """Whether the page shows the table itself."""
        return isinstance(self.figure.plot, Listing)

    @property
    def explained(self) -> str:
        """The caption, and what is shaded where a point has several replicates."""
        plot, caption = self.figure.plot, self.figure.caption
        if not isinstance(plot, Lines):
            return caption
        points = {tuple(row.get(name) for name in (plot.panel, plot.series, plot.x)) for row in self.table}
        return f"{caption} Shaded: {plot.shaded}." if len(points) < len(self.table) else caption

    @property
    def layout(self) -> str:
        """How the page lays its panels out: "single", "wide" where three beside each other are too small to read."""
        if len(self.panels) == 1:
            return "single"
        return "wide" if max(map(width, self.panels)) > WIDE else ""

    @property
    def csv_link(self) -> str:
        """The data inside the link, so that the page can be sent alone."""
        return "data:text/csv;base64," + base64.b64encode(self.csv.encode(errors="backslashreplace")).decode()


def write(
    study: Study,
    results: Results,
    folder: Path,
    *,
    cost: Record | None = None,
    lineage: Mapping[str, Record] | None = None,
    failures: Mapping[str, str] | None = None,
    command: str = "",
    registered: Registration | None = None,
) -> Written:
    """Judges all claims and writes `index.html`, `README.md`, `summary.json`, `figures/*.svg` and `data/*.csv`.

    cost: what it took (machine, seconds, versions), by label. lineage: the record of a node (its run, its
    recipe) by node id; a figure shows those of its own curves. failures: why a run failed, by node id.
    command: how to make the report again. registered: what was claimed before the first run.

    An earlier report in the folder is replaced, its figures and their data included. Raises OSError where a file
    cannot be written; the others stay as they are.
    """
    require_folder(folder)
    verdicts = judge_study(study, results, registered.marks if registered else {})
    cautions, drawn = cautions_of(study, results), tuple(_drawn(study, results, verdicts))
    sentence = study.head(results, verdicts) if study.head else summary_sentence(verdicts, study.rule)
    told = {"sentence": sentence, "cautions": cautions, "command": command, "cost": flat(cost or {})}
    failed, records = failures or {}, lineage or {}
    shown = told | {
        "study": study,
        "verdicts": verdicts,
        "caution": study.rule.caution(verdicts) if study.rule else "",
        "registered": registered,
        "drawn": drawn,
        "settings": flat(described(study.settings)),
        "recipes": dict(list(records.items())[:RECORDS]),
        "unlisted": max(0, len(records) - RECORDS),
        "failures": failed,
        "absent": [node.id for node in study.nodes if node not in results and node.id not in failed],
    }
    record = summary(study, verdicts) | told | {"registered": registered and vars(registered)}
    texts = {f"figures/{item.figure.name}.svg": item.svg for item in drawn if item.svg}
    texts |= {f"data/{item.figure.name}.csv": item.csv for item in drawn if item.csv}
    page, markdown = (_environment().get_template(f"report.{end}").render(shown) for end in ("html", "md"))
    markdown = re.sub(r"\n{3,}", "\n\n", markdown).strip()  # one empty line between what has some
    # The summary before the pages: a folder that has pages and no summary is no report's.
    texts |= {SUMMARY: f"{json_text(record)}\n"} | dict(zip(PAGES, (page, f"{markdown}\n"), strict=True))
    folder = Path(folder)
    before = written_before(folder)
    place(folder, texts)
    remove(folder, before - texts.keys())
    return Written(folder / PAGES[0], verdicts, sentence, failed)


def framed(page: Path) -> str:
    """A page inside a notebook, which needs no file any more."""
    text = html.escape(Path(page).read_text(encoding="utf-8"))
    return f'<iframe srcdoc="{text}" style="width: 100%; height: 80vh; border: 0"></iframe>'


def markdown_row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown, whatever the cells say."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', BAR) for cell in cells)} |"


def _drawn(study: Study, results: Results, verdicts: Sequence[Verdict]) -> Iterator[Drawn]:
    """All figures, each with the verdicts that it bears on."""
    by_name = {verdict.claim.name: verdict for verdict in verdicts}
    for figure in study.figures:
        yield replace(draw(figure, results), verdicts=tuple(by_name[claim.name] for claim in study.claims_of(figure)))


def draw(figure: Figure, results: Results) -> Drawn:
    """A missing run, or images that are not at hand, cost one figure, not the report; a wrong figure is an error."""
    from prunescope.studies import drawing  # matplotlib takes long to import, and a report without figures needs none

    try:
        parts = [(part, part.table(results)) for part in figure.rows]
    except UsageError:
        raise
    except PrunescopeError as problem:
        return Drawn(figure, why_not=str(problem))
    table = [row for _, rows in parts for row in rows]
    if not table:
        return Drawn(figure, why_not="There is nothing to draw: no run of it is stored, or none qualifies.")
    if isinstance(figure.plot, Listing):
        return Drawn(figure, csv=csv_text(table), table=table)
    try:
        panels = drawing.panels(figure.plot, table, name=figure.name)
        points = json.dumps(points_of(figure.plot, parts), ensure_ascii=False, separators=(",", ":"))
    except (DataError, NothingToDraw) as problem:
        return Drawn(figure, why_not=str(problem))
    markup = tuple(Markup(panel) for panel in panels)
    points = "" if points == "{}" else points.replace("<", "\\u003c")  # nothing may end the script that holds it
    return Drawn(figure, "", side_by_side(panels), markup, csv_text(table), table, points)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    environment.filters["columns"] = columns
    environment.filters["told"] = lambda name, values: number(values.get(name, ""), name)
    environment.filters["row"] = markdown_row
    environment.filters["capfirst"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["pretty"] = json_text
    return environment
