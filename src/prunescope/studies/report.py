"""The report of a study: one page that stands alone, with the figures, data and verdicts beside it as files.

Belongs here: what the report says, and writing it; the only part of the studies that touches the disk. Does not
belong here: judging (`judging.py`) and drawing (`plots.py`). How the page looks is in `templates/`.

Equal inputs give equal bytes: nothing is dated, and nothing depends on the machine unless it is passed in.
"""

import base64
import html
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jinja2
import numpy as np
from markupsafe import Markup

from prunescope.base.errors import DataError, PrunescopeError, UsageError
from prunescope.base.records import columns
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import describe
from prunescope.studies.claim import Verdict
from prunescope.studies.explore import points_of
from prunescope.studies.extent import flat
from prunescope.studies.figure import Figure, csv_text
from prunescope.studies.judging import judge_all, unmet
from prunescope.studies.plot import Lines, Listing, NothingToDraw, Table
from prunescope.studies.region import Outcome
from prunescope.studies.registration import Registration
from prunescope.studies.results import Results
from prunescope.studies.rule import Rule
from prunescope.studies.study import Study
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
IS_P = re.compile(r"\bp(_holm)?$")
"""The name of a column of p-values."""


@dataclass(frozen=True)
class _Drawn:
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
        return "data:text/csv;base64," + base64.b64encode(self.csv.encode()).decode()


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
    """
    require_folder(folder)
    verdicts = judge_all(study.claims, results, study.rule)
    marks, extent = registered.marks if registered else {}, str(study.extent or "")
    verdicts = tuple(replace(v, extent=extent, since=marks.get(v.claim.name, "")) for v in verdicts)
    soft = [condition for claim in study.claims for condition in claim.preconditions if not condition.blocks]
    cautions = unmet([*study.cautions, *soft], results)
    by_name = {verdict.claim.name: verdict for verdict in verdicts}
    drawn = tuple(
        replace(_draw(figure, results), verdicts=tuple(by_name[claim.name] for claim in study.claims_of(figure)))
        for figure in study.figures
    )
    sentence = study.head(results, verdicts) if study.head else summary_sentence(verdicts, study.rule)
    texts = {f"figures/{item.figure.name}.svg": item.svg for item in drawn if item.svg}
    texts |= {f"data/{item.figure.name}.csv": item.csv for item in drawn if item.csv}
    told = {"sentence": sentence, "cautions": cautions, "command": command, "cost": flat(cost or {})}
    record = summary(study, verdicts) | told | {"registered": registered and vars(registered)}
    texts["summary.json"] = _json(record) + "\n"
    failed, records = failures or {}, lineage or {}
    absent = [node.id for node in study.nodes if node not in results and node.id not in failed]
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
        "absent": absent,
    }
    pages = _environment()
    texts["index.html"] = pages.get_template("report.html").render(shown)
    texts["README.md"] = _paragraphs(pages.get_template("report.md").render(shown))
    for name, text in texts.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return Written(Path(folder) / "index.html", verdicts, sentence, failed)


def require_folder(folder: Path) -> None:
    """Raises UsageError where a file stands in the place of a report's folder, or of one above it."""
    if file := next((path for path in (Path(folder), *Path(folder).parents) if path.is_file()), None):
        raise UsageError(f"{file} is a file, and a report is a folder; name another one")


def framed(page: Path) -> str:
    """A page inside a notebook, which needs no file any more."""
    text = html.escape(Path(page).read_text(encoding="utf-8"))
    return f'<iframe srcdoc="{text}" style="width: 100%; height: 80vh; border: 0"></iframe>'


def summary(study: Study, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts of a study as plain JSON data; null stands where there is no number."""
    return {
        "study": study.name,
        "question": study.question,
        "paper": study.paper,
        "rule": study.rule and study.rule.name,
        "scale": study.scale,
        "extent": study.extent
        and {"scale": study.extent.scale, "cut": study.extent.cut, "data": study.extent.data}
        | {"setting": "recalled" if study.extent.recalled else "published"},
        "settings": described(study.settings),
        "figures": [figure.name for figure in study.figures],
        "claims": finite([_claim_summary(verdict, study.rule) for verdict in verdicts]),
    }


def described(settings: Value) -> dict[str, Any]:
    """All fields of a settings value as plain data; nested values with their class as "kind"."""
    plain = describe(settings)
    assert isinstance(plain, dict)
    return {name: value for name, value in plain.items() if name != "kind"}


def summary_sentence(verdicts: Sequence[Verdict], rule: Rule | None = None) -> str:
    """What became of all claims, by the interval rule and that of the paper; first of the paper's own among others."""
    if not verdicts:
        return "This study makes no claims."
    noun = "claim" if len(verdicts) == 1 else "claims"
    interval = f"the interval rule finds {_counts(verdict.interval_rule for verdict in verdicts)}"
    by_paper = f"; by {rule.name}: {_counts(verdict.paper for verdict in verdicts)}" if rule else ""
    own = [verdict.interval_rule for verdict in verdicts if verdict.claim.basis == "paper"]
    first = f"Of {len(own)} that are the paper’s own, the interval rule finds {_counts(own)}. "
    return (
        f"{first * (0 < len(own) < len(verdicts))}Of {len(verdicts)} {noun}{verdicts[0].extent}, {interval}{by_paper}."
    )


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


def _row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown, whatever the cells say."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', BAR) for cell in cells)} |"


def _paragraphs(text: str) -> str:
    """Markdown with one empty line between what has some."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _json(record: object) -> str:
    return json.dumps(finite(record), indent=2, ensure_ascii=False, default=str, allow_nan=False)


def finite(part: Any) -> Any:
    """The same plain data with null for each number that is not finite: JSON has no word for it."""
    if isinstance(part, Mapping):
        return {name: finite(inner) for name, inner in part.items()}
    if isinstance(part, list | tuple):
        return [finite(inner) for inner in part]
    return None if isinstance(part, float) and not math.isfinite(part) else part


def _draw(figure: Figure, results: Results) -> _Drawn:
    """A missing run, or images that are not at hand, cost one figure, not the report; a wrong figure is an error."""
    from prunescope.studies import drawing  # matplotlib takes long to import, and a report without figures needs none

    try:
        parts = [(part, part.table(results)) for part in figure.rows]
    except UsageError:
        raise
    except PrunescopeError as problem:
        return _Drawn(figure, why_not=str(problem))
    table = [row for _, rows in parts for row in rows]
    if not table:
        return _Drawn(figure, why_not="There is nothing to draw: no run of it is stored, or none qualifies.")
    if isinstance(figure.plot, Listing):
        return _Drawn(figure, csv=csv_text(table), table=table)
    try:
        panels = drawing.panels(figure.plot, table, name=figure.name)
        points = json.dumps(points_of(figure.plot, parts), ensure_ascii=False, separators=(",", ":"))
    except (DataError, NothingToDraw) as problem:
        return _Drawn(figure, why_not=str(problem))
    markup = tuple(Markup(panel) for panel in panels)
    points = "" if points == "{}" else points.replace("<", "\\u003c")  # nothing may end the script that holds it
    return _Drawn(figure, "", side_by_side(panels), markup, csv_text(table), table, points)


def _claim_summary(verdict: Verdict, rule: Rule | None) -> dict[str, Any]:
    claim, interval = verdict.claim, verdict.interval
    return {
        "name": claim.name,
        "says": claim.says,
        "basis": claim.basis,
        "place": claim.place,
        "region": str(claim.region),
        "unit": verdict.unit,
        "quantity": claim.unit,
        "by_paper": rule and verdict.paper,
        "by_interval": verdict.interval_rule,
        "said": verdict.said,
        "why": verdict.why,
        "n": verdict.n,
        "over": verdict.over,
        "values": list(verdict.values),
        "estimate": interval and interval.estimate,
        "low": interval and interval.low,
        "high": interval and interval.high,
        "level": interval and interval.level,
        "p": verdict.p,
        "p_holm": verdict.p_holm,
    }


def _counts(outcomes: Iterable[Outcome]) -> str:
    counted = Counter(outcomes)
    parts = [f"{counted[outcome]} {outcome}" for outcome in get_args(Outcome) if counted[outcome]]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


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
    environment.filters["row"] = _row
    environment.filters["capfirst"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["pretty"] = _json
    return environment
