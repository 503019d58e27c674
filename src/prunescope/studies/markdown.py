"""The report as one Markdown page, for a repository or a message.

Belongs here: verdicts, figures, cost and command as Markdown. Does not belong here: the page for a browser
(`report.py`), any number that is not handed in.
"""

from collections.abc import Callable, Mapping, Sequence

from prunescope.studies.claim import Claim, Verdict
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
    rule: str,
    cautions: Sequence[str],
    number: Number,
    cost: Mapping[str, object],
    command: str,
    absent: Mapping[str, str] | None = None,
    listed: Mapping[str, Table] | None = None,
) -> str:
    """The whole page; figures and data are linked as the report's folder has them.

    rule: what the rule of one standard deviation is called.
    absent: why figures are not drawn, by name. listed: the tables that are shown themselves, by the figure's name.
    """
    parts = [f"# {study.question}", f"`{study.name}`, {study.scale}.", study.paper, sentence]
    parts += [f"**Caution:** {text}." for text in cautions]
    parts += [_claims(verdicts, number, rule)]
    if caution:
        parts += [
            f"When nothing differs, the {rule} (a mean that is one standard deviation from zero) fires {caution}."
        ]
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


def _claims(verdicts: Sequence[Verdict], number: Number, rule: str) -> str:
    if not verdicts:
        return ""
    rows = [
        f"| claim | basis, place | {rule} | interval rule | estimate [interval] | n | p, Holm's p |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        claim, interval = verdict.claim, verdict.interval
        estimate = verdict.why
        if interval is not None:
            estimate = f"{number(interval.estimate)} [{number(interval.low)}, {number(interval.high)}] {claim.unit}"
        cells = (
            claim.says,
            _basis(claim),
            verdict.paper,
            verdict.interval_rule,
            estimate,
            str(verdict.n),
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
    outcomes = dict.fromkeys((verdict.paper, verdict.interval_rule))
    claim = verdict.claim
    return f"- {claim.says} ({_basis(claim)}) **{' / '.join(outcomes)}**"


def _basis(claim: Claim) -> str:
    return f"{claim.basis}: {claim.place}" if claim.place else claim.basis


def _pairs(record: Mapping[str, object], number: Number) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {number(value)} |" for name, value in record.items())])
