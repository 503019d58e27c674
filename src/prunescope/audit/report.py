"""The report of an audit, which a notebook, a folder and a build can use."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from prunescope.audit.gate import Line, junit, line, lines
from prunescope.audit.sentence import head
from prunescope.audit.study import Audit
from prunescope.audit.tables import Findings
from prunescope.base.errors import UsageError
from prunescope.base.files import write_whole
from prunescope.base.records import Records
from prunescope.runs.store.results import StoredResults
from prunescope.studies import report
from prunescope.studies.claim import Verdict
from prunescope.studies.figure import Figure, csv_text
from prunescope.studies.folder import PLACES, place, remove
from prunescope.studies.plot import NothingToShow, Table
from prunescope.studies.study import Study

GATE = "gate.xml"
FILES = ("under-measures", "under-flips", "under-classes", "under-groups", "gate", "examples")
"""The tables that no page shows."""
PRINTED = 50
"""Lines of a gate that are printed at most; a report has all of them."""


@dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """An audit with its results; it draws itself in a notebook.

    plan: what was compared. study: its claims and figures. results: the readings. verdicts: on its claims.
    """

    plan: Audit
    study: Study
    results: StoredResults
    verdicts: tuple[Verdict, ...]

    @property
    def findings(self) -> Findings:
        """Everything that is computed, each part once."""
        return self.plan.read(self.results)

    @property
    def sentence(self) -> str:
        """What happened, to whom, and whether it is more than another seed."""
        return head(self.findings)

    @cached_property
    def gate(self) -> list[Line]:
        """What is said of every number that is bounded, the broken ones first."""
        return lines(self.findings.pruned, self.plan.gate)

    @property
    def exit_code(self) -> int:
        """0 where all bounds are kept with the confidence of their intervals, 1 where one is broken, 3 where none can
        be told to be broken and one cannot be told to be kept.
        """
        answers = {row["answer"] for row in self.gate}
        return 1 if "broken" in answers else 0 if answers <= {"kept"} else 3

    @property
    def tables(self) -> dict[str, Table]:
        """All tables by name, and "examples": every example's numbers by every network."""
        return {shown.name: self._rows(shown) for shown in self.study.figures} | self._files

    @cached_property
    def _files(self) -> dict[str, Table]:
        """The tables that are files only: the gate, all examples, and what is found under every condition."""
        found = self.findings
        under: dict[str, Callable[[Findings], Table]] = {
            "measures": lambda one: one.measures,
            "flips": lambda one: one.flips,
            "classes": lambda one: one.groups("class"),
            "groups": lambda one: one.groups() if one.evidence.groups else [],
        }
        files: dict[str, Table] = {f"under-{name}": found.shifted(table) for name, table in under.items()}
        files |= {"gate": self.gate, "examples": self._examples()}
        return {name: files[name] for name in FILES if files[name]}

    def table(self, name: str) -> Records:
        """One table by its name, such as "classes": a list of rows. Raises UsageError, with the names, for another."""
        tables = self.tables
        if name not in tables:
            raise UsageError(f"an audit has no table {name!r}; there are {', '.join(tables)}")
        return Records(map(dict, tables[name]))

    def write(self, folder: Path | str, *, command: str = "") -> Path:
        """Writes the page, `summary.json`, `data/*.csv`, `tables/*.parquet`, with a gate `gate.xml`; gives the page.

        command: how to make the report again.
        """
        folder = Path(folder)
        page = report.write(self.study, self.results, folder, command=command).page
        remove(folder, [GATE, *(path.format(title) for path in PLACES for title in FILES)])
        place(folder, {f"data/{title}.csv": csv_text(rows) for title, rows in self._files.items()})
        for title, rows in self.tables.items():
            table = Records(map(dict, rows)).arrow()
            write_whole(folder / "tables" / f"{title}.parquet", partial(pq.write_table, table))
        if self.gate:
            place(folder, {GATE: junit(self.gate, "prunescope.audit")})
        return page

    def _examples(self) -> Table:
        flags = {f"exemplar {name}": flags for name, flags in self.findings.exemplar_flags.items()}
        numbers = {name: values.tolist() for name, values in (self.findings.evidence.columns() | flags).items()}
        return [dict(zip(numbers, row, strict=True)) for row in zip(*numbers.values(), strict=True)]

    def _rows(self, shown: Figure) -> Table:
        try:
            return shown.table(self.results)
        except NothingToShow:
            return ()

    def __repr__(self) -> str:
        more = len(self.gate) - PRINTED
        rest = [f"... and {more} lines more, none of them worse; table gate has all"] if more > 0 else []
        return "\n".join([self.sentence, *map(line, self.gate[:PRINTED]), *rest])

    def _repr_html_(self) -> str:
        with TemporaryDirectory() as folder:
            return report.framed(report.write(self.study, self.results, Path(folder)).page)
