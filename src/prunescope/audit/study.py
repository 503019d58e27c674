"""audit: What did pruning do to this network, and to whom?

Belongs here: an audit as a study, from states to nodes and findings. Does not belong here: statistics (`contrast.py`),
what is shown (`figures.py`), the call that a user makes (`door.py`).
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, cast

import numpy as np

from prunescope.audit.claims import Claims
from prunescope.audit.evidence import AMONG, answers, cautions, check_seeds
from prunescope.audit.figures import figures
from prunescope.audit.sentence import head
from prunescope.audit.tables import Findings
from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.measures import Neighbours, Outputs, WeightCount
from prunescope.measures.answers import Answers
from prunescope.measures.measure import Measure, SplitName
from prunescope.measures.robustness import Condition, OtherData, OutputsUnder
from prunescope.runs.graph.given import task_of
from prunescope.runs.graph.nodes import Measured, Reading
from prunescope.studies.contrast import Evidence
from prunescope.studies.groups import Column
from prunescope.studies.results import Results
from prunescope.studies.study import Study, titled
from prunescope.studies.weights import WeightTables

NOBODY = np.zeros((0, 0), dtype=np.int64)
FEWEST = 10
"""Examples of which something is said; proposed."""
NO_TWIN = (
    "No twin is given: a network of the same training with another seed. Whatever is said here is of these networks; "
    "whether another seed would have changed as much cannot be told."
)
TWO_STATES = (
    "States cannot tell why they differ: whether a change comes of the weights that are gone, or of the training "
    "around their removal, takes networks that were trained as long without pruning, and narrower ones. `prunescope "
    "explain --network MODULE:NAME --data DATA` trains them, and says how much of the change is whose."
)
KINDS = (
    "An interval over examples speaks of these networks and of more examples like these. The excess over all dense "
    "networks speaks of other seeds as well. Of several groups the interval is that of the largest loss: from the "
    "largest low end to the largest high end of their joint intervals."
)


class Settings(Value):
    """What was audited: ids of states by name, names of groups, bounds in percentage points."""

    added: ClassVar[frozenset[str]] = frozenset({"controls", "judges", "conditions"})
    dense: str
    pruned: dict[str, str]
    twins: dict[str, str]
    controls: dict[str, str] = {}
    judges: dict[str, str] = {}
    conditions: dict[str, str] = {}
    split: SplitName
    groups: tuple[str, ...]
    gate: dict[str, float]
    delta: float
    why: int


@dataclass(frozen=True, eq=False)
class Audit:
    """Networks to compare, before anything is read of them.

    dense: the state audited. pruned, controls, twins, judges: others by the name that the report gives them; judges
        say which examples are difficult, and nothing else.
    groups: columns of the examples of the split, by name.
    gate: bounds in percentage points by their names in `gate.BOUNDS`.
    delta: points that a class or group may lose at a safe sparsity.
    split: whose examples are looked at.
    why: examples that weights are looked at with; 0 leaves that out.
    conditions: how else the examples are shown, by name.
    notes: what is said of how the states came in. doubts: what they may be instead, at the head of the report.
    """

    dense: StateRef
    pruned: Mapping[str, StateRef]
    twins: Mapping[str, StateRef] = field(default_factory=dict)
    controls: Mapping[str, StateRef] = field(default_factory=dict)
    judges: Mapping[str, StateRef] = field(default_factory=dict)
    groups: Mapping[str, Column] = field(default_factory=dict)
    gate: Mapping[str, float] = field(default_factory=dict)
    delta: float = 1.0
    split: SplitName = "test"
    why: int = 0
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @cached_property
    def states(self) -> dict[str, StateRef]:
        """All states by name."""
        return {"dense": self.dense, **self.pruned, **self.controls, **self.twins, **self.judges}

    @cached_property
    def weights(self) -> WeightTables:
        """What is read of weights."""
        states = {name: state for name, state in self.states.items() if name not in self.judges}
        return WeightTables(states, tuple(self.pruned), self.split, self.why)

    @cached_property
    def nodes(self) -> tuple[Reading, ...]:
        """What findings are read from: every network's answers and sparsity, and what says which are difficult."""
        readings = [reading for name in self.states for reading in (self.outputs(name), self.size(name))]
        under = [self.outputs(name, condition) for condition in self.conditions for name in self.states]
        return (*readings, *self.neighbours, *under)

    @property
    def all_nodes(self) -> tuple[Measured, ...]:
        """These, and what is read of weights."""
        return (*self.nodes, *self.weights.nodes)

    def outputs(self, name: str, condition: str = "") -> Reading:
        """A network's answers, under a condition where one is named."""
        measure: Measure = Outputs(split=self.split)
        if condition:
            measure = OutputsUnder(split=self.split, condition=self.conditions[condition])
        return Reading(measure=measure, state=self.states[name])

    def size(self, name: str) -> Reading:
        """How many weights a network keeps."""
        return Reading(measure=WeightCount(), state=self.states[name])

    @property
    def neighbours(self) -> tuple[Reading, ...]:
        """The nearest examples of each in the other half, which judge difficulty where no other network does."""
        if self.twins or self.judges:
            return ()
        many = task_of(self.dense).data.sizes[self.split] > 2 * AMONG  # between all pairs of so many it takes minutes
        return (Reading(measure=Neighbours(split=self.split, among=AMONG if many else 0), state=self.dense),)

    def study(self) -> Study:
        """The audit as a study, which trains nothing."""
        claims = Claims(self.read, self.nodes, groups=bool(self.groups), gate=self.gate)
        return Study(
            *titled(__doc__),
            settings=self._settings(),
            claims=tuple(claims.of_all(tuple(self.pruned))),
            figures=tuple(figures(self)),
            notes=(*self.notes, *([] if self.twins else [NO_TWIN]), KINDS, TWO_STATES),
            head=lambda results, verdicts: head(self.read(results)),
        )

    def read(self, results: Results) -> Findings:
        """What is found, each part computed once for the same results."""
        return _findings(self, cast(Hashable, results))

    def _settings(self) -> Settings:
        plain: dict[str, Any] = {name: getattr(self, name) for name in ("split", "gate", "delta", "why")}
        for kind in ("pruned", "twins", "controls", "judges", "conditions"):
            plain[kind] = {name: one.id for name, one in getattr(self, kind).items()}
        return Settings(dense=self.dense.id, groups=tuple(self.groups), **plain)


@lru_cache(maxsize=2)
def _findings(audit: Audit, results: Any) -> Findings:
    evidence = _evidence(audit, results)
    check_seeds(evidence.seeds)
    under = {name: Findings(_evidence(audit, results, name), audit.delta) for name in audit.conditions}
    return Findings(evidence, audit.delta, under, (*audit.doubts, *cautions(evidence)))


def require_enough(examples: int) -> None:
    """Raises UsageError for so few examples that nothing follows from them."""
    if examples < FEWEST:
        raise UsageError(f"{examples} examples say nothing of a network; give at least {FEWEST}")


def _evidence(audit: Audit, results: Any, condition: str = "") -> Evidence:
    """The answers to the examples, or to what they become; groups and neighbours are those of the examples alone."""
    like = results[audit.outputs("dense", condition)]
    require_enough(len(like["index"]))
    weights = results[audit.size("dense")]["weights"]

    def known(kind: Mapping[str, StateRef]) -> tuple[Answers, ...]:
        sparsity = {name: 1 - float(results[audit.size(name)]["kept"] / weights) for name in kind}
        return tuple(answers(name, results[audit.outputs(name, condition)], sparsity[name], like) for name in kind)

    near = next((results[node]["neighbours"] for node in audit.neighbours if not condition), NOBODY)
    other = condition and isinstance(audit.conditions[condition], OtherData)
    count = max(like["log_probability"].shape[1], int(like["label"].max()) + 1)
    names = tuple(task_of(audit.dense).data.source.class_names)
    if names and len(names) < count:
        raise UsageError(
            f"the networks have {count} outputs and the data {len(names)} classes ({', '.join(names[:12])}), so which "
            "is which cannot be told; give class_names=, one an output, in their order"
        )
    return Evidence(
        dense=known({"dense": audit.dense})[0],
        pruned=known(audit.pruned),
        twins=known(audit.twins),
        controls=known(audit.controls),
        judges=known(audit.judges),
        index=like["index"],
        classes=names or tuple(map(str, range(count))),
        groups={} if other else audit.groups,
        neighbours=near,
    )
