"""The report as one Markdown page, for a repository or a message.

Belongs here: verdicts, figures, cost and command as Markdown. Does not belong here: the page for a browser
(`report.py`), any number that is not handed in.
"""

from collections.abc import Callable, Mapping, Sequence

from prunescope.studies.claim import Verdict
from prunescope.studies.plot import Table
from prunescope.studies.study import Study

Number = Callable[[object], str]
"""How a value is written for the reader."""


def page(
    study: Study,
    verdicts: Sequence[Verdict],
    *,
    sentence: str,
    caution: str,
    cautions: Sequence[str],
    number: Number,
    cost: Mapping[str, object],
    command: str,
    absent: Mapping[str, str] | None = None,
    listed: Mapping[str, Table] | None = None,
) -> str:
    """The whole page; figures and data are linked as the report's folder has them.

    absent: why figures are not drawn, by name. listed: the tables that are shown themselves, by the figure's name.
    """
    parts = [f"# {study.question}", f"`{study.name}`, {study.scale}.", study.paper, sentence]
    parts += [f"**Caution:** {text}." for text in cautions]
    parts += [_claims(verdicts, number)]
    if caution:
        parts += [f"When nothing differs, the paper's one-standard-deviation rule fires {caution}."]
    by_name = {verdict.claim.name: verdict for verdict in verdicts}
    for figure in study.figures:
        parts += [f"## {figure.title}"]
        if why := (absent or {}).get(figure.name):
            parts += [f"Not shown. {why}", figure.caption]
        elif table := (listed or {}).get(figure.name):
            parts += [_table(table, number), f"{figure.caption} [Data](data/{figure.name}.csv)."]
        else:
            parts += [f"![{figure.title}](figures/{figure.name}.svg)"]
            parts += [f"{figure.caption} [Data](data/{figure.name}.csv)."]
        parts += ["\n".join(_bullet(by_name[claim.name]) for claim in study.claims_of(figure))]
    parts += ["## Notes", *study.notes] if study.notes else []
    parts += ["## Cost", _pairs(cost, number)] if cost else []
    parts += [f"Made by `{command}`."] if command else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _claims(verdicts: Sequence[Verdict], number: Number) -> str:
    if not verdicts:
        return ""
    rows = [
        "| claim | basis, place | paper's rule | interval rule | estimate [interval] | n | p, Holm's p |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        claim, interval = verdict.claim, verdict.interval
        estimate = verdict.why
        if interval is not None:
            estimate = f"{number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}] {verdict.unit}"
        cells = (
            claim.says,
            f"{claim.basis}: {claim.place}",
            verdict.paper,
            verdict.said,
            estimate,
            f"{verdict.n} {verdict.estimate.over}" if verdict.estimate else str(verdict.n),
            ", ".join(number(p) for p in (verdict.p, verdict.p_holm) if p is not None),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _table(table: Table, number: Number) -> str:
    names = list(dict.fromkeys(name for row in table for name in row))
    rows = [[number(row.get(name, "")) for name in names] for row in table]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (names, ["---"] * len(names), *rows))


def _bullet(verdict: Verdict) -> str:
    """What a claim says, and what became of it, by the paper's rule and by the interval."""
    outcomes = dict.fromkeys((verdict.said,) if verdict.estimate else (verdict.paper, verdict.said))
    claim = verdict.claim
    return f"- {claim.says} ({claim.basis}: {claim.place}) **{' / '.join(outcomes)}**"


def _pairs(record: Mapping[str, object], number: Number) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {number(value)} |" for name, value in record.items())])
