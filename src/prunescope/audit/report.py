"""`audit`: from states to a report that a notebook, a folder and a build can use.

Belongs here: computing the readings, and writing. Does not belong here: what is found (`tables.py`), how the page looks
(`studies/report.py`).
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from prunescope.audit import examples
from prunescope.audit.evidence import check_inputs
from prunescope.audit.gate import answer, checked, junit
from prunescope.audit.sentence import head
from prunescope.audit.study import Audit
from prunescope.audit.tables import Findings
from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.measures.measure import SplitName
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.status import Display
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.studies import report
from prunescope.studies.claim import Verdict, judge_all
from prunescope.studies.figure import Figure, columns, csv_text
from prunescope.studies.plot import NothingToShow, Table
from prunescope.studies.study import Study

States = StateRef | Sequence[StateRef] | Mapping[str, StateRef]


def audit(
    dense: StateRef,
    pruned: States,
    *,
    store: Store | Path | str,
    twins: States = (),
    groups: Mapping[str, ArrayLike] | None = None,
    gate: Mapping[str, float] | None = None,
    delta: float = 1.0,
    split: SplitName = "test",
    why: int = 0,
    notes: Sequence[str] = (),
    device: str = "cpu",
    display: Display | None = None,
) -> "AuditReport":
    """What pruning did to a network, to whom, and whether it is more than another seed changes; trains nothing.

    dense: the network before.
    pruned: what was made of it: one state, several (a series of sparsities, replicates), or several by name.
    store: where readings are kept.
    twins: networks trained like the dense one with other seeds; without them no claim blames pruning.
    groups: columns by name, each a text or a whole number for every example of the split, in its order.
    gate: bounds by name, percentage points: max-loss, max-class-loss, max-group-loss, max-disagreement.
    delta: points of error that a class or group may lose at what is called a safe sparsity.
    split: whose examples are looked at.
    why: on how many examples flatness, barriers and layers are looked at; 0 leaves them out, 512 is usual.
    notes: what the report says of how the states came in.
    device, display: as of `ensure`.

    Raises UsageError for networks that do not answer the same examples, for a twin that is the dense network itself,
    for groups that do not fit, and for unknown bounds.
    """
    planned = Audit(
        dense,
        _named("pruned", pruned),
        _named("twin", twins),
        groups=groups or {},
        gate=checked(gate or {}, groups=bool(groups)),
        delta=delta,
        split=split,
        why=why,
        notes=tuple(notes),
    )
    _check(planned)
    check_inputs(planned.states, split)
    results = ensure(planned.all_nodes, store=store, workers=1, device=device, display=display)
    study = planned.study()
    return AuditReport(planned, study, results, judge_all(study.claims, results))


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

    @property
    def gate(self) -> tuple[Verdict, ...]:
        """The verdicts on the bounds: "reproduced" is kept, "contradicted" is broken."""
        return tuple(verdict for verdict in self.verdicts if verdict.claim.name.startswith("gate-"))

    @property
    def exit_code(self) -> int:
        """0 where all bounds are kept with the confidence of their intervals, 1 where one is broken, 3 where none can
        be told to be broken and one cannot be told to be kept.
        """
        answers = {verdict.interval_rule for verdict in self.gate}
        return 1 if "contradicted" in answers else 0 if answers <= {"reproduced"} else 3

    @property
    def tables(self) -> dict[str, Table]:
        """All tables by name, and "examples": every example's numbers by every network."""
        return {shown.name: self._rows(shown) for shown in self.study.figures} | {"examples": self._examples()}

    def table(self, name: str) -> Table:
        """One table by its name, such as "classes": a list of rows. Raises UsageError, with the names, for another."""
        tables = self.tables
        if name not in tables:
            raise UsageError(f"an audit has no table {name!r}; there are {', '.join(tables)}")
        return tables[name]

    def write(self, folder: Path | str, *, command: str = "") -> Path:
        """Writes the page, `summary.json`, `data/*.csv`, `tables/*.parquet`, with a gate `gate.xml`; gives the page.

        command: how to make the report again.
        """
        folder = Path(folder)
        page = report.write(self.study, self.results, folder, command=command).page
        (folder / "tables").mkdir(exist_ok=True)
        for title, rows in self.tables.items():
            table = pa.table({name: [row.get(name) for row in rows] for name in columns(rows)})
            pq.write_table(table, folder / "tables" / f"{title}.parquet")
        (folder / "data" / "examples.csv").write_text(csv_text(self._examples()), encoding="utf-8")
        if self.gate:
            (folder / "gate.xml").write_text(junit(self.gate, "prunescope.audit"), encoding="utf-8")
        return page

    def _examples(self) -> Table:
        flags = {f"exemplar {name}": flags for name, flags in self.findings.exemplar_flags.items()}
        marked = examples.columns(self.findings.evidence) | flags
        numbers = {name: values.tolist() for name, values in marked.items()}
        return [dict(zip(numbers, row, strict=True)) for row in zip(*numbers.values(), strict=True)]

    def _rows(self, shown: Figure) -> Table:
        try:
            return shown.table(self.results)
        except NothingToShow:
            return ()

    def __repr__(self) -> str:
        answers = [f"{verdict.claim.says} {answer(verdict)}." for verdict in self.gate]
        return "\n".join([self.sentence, *answers])

    def _repr_html_(self) -> str:
        with TemporaryDirectory() as folder:
            page = html.escape(report.write(self.study, self.results, Path(folder)).page.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 80vh; border: 0"></iframe>'


def _named(kind: str, states: States) -> dict[str, StateRef]:
    if isinstance(states, Mapping):
        return dict(states)
    listed = [states] if isinstance(states, StateRef) else list(states)
    numbered = len(listed) > 1 or kind == "twin"
    return {f"{kind}-{number}" if numbered else kind: state for number, state in enumerate(listed, 1)}


def _check(plan: Audit) -> None:
    """Raises UsageError for no pruned network, two states of one name, and a twin that is the dense network."""
    if not plan.pruned:
        raise UsageError("there is no pruned network to audit; give at least one")
    names = ["dense", *plan.pruned, *plan.twins]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(
            f"two networks are called {twice[0]!r}; give each its own name, and none that of the dense one"
        )
    for name, state in plan.twins.items():
        if state.id == plan.dense.id:
            raise UsageError(f"{name!r} is the dense network itself; a twin is trained with another seed")
