"""audit: What did pruning do to this network, and to whom?

Belongs here: an audit as a study, from states to nodes, figures and claims. Does not belong here: statistics
(`contrast.py`), and the call that a user makes (`report.py`).
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from prunescope.audit import examples
from prunescope.audit.claims import Claims
from prunescope.audit.evidence import Column, Evidence, answers, check_seeds, column
from prunescope.audit.tables import Findings
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.measures import LayerSparsity, Neighbours, Outputs
from prunescope.measures.measure import Measure, SplitName
from prunescope.runs.graph.nodes import Reading
from prunescope.studies.figure import Computed, Figure
from prunescope.studies.plot import Intervals, Lines, Listing, Plot, Row, Sheet
from prunescope.studies.results import Results
from prunescope.studies.study import Study, titled


class Settings(Value):
    """What was audited: ids of states, names of groups, bounds."""

    dense: str
    pruned: dict[str, str]
    twins: dict[str, str]
    split: SplitName
    groups: tuple[str, ...]
    gate: dict[str, float]
    delta: float


@dataclass(frozen=True, eq=False)
class Audit:
    """Networks to compare, before anything is read of them.

    dense: the state audited. pruned, twins: others by the name that the report gives them.
    groups: a column for each example of the split, by name.
    gate: bounds in percentage points by their names in `gate.BOUNDS`.
    delta: points that a class or group may lose at a safe sparsity.
    split: whose examples are looked at.
    """

    dense: StateRef
    pruned: Mapping[str, StateRef]
    twins: Mapping[str, StateRef] = field(default_factory=dict)
    groups: Mapping[str, ArrayLike] = field(default_factory=dict)
    gate: Mapping[str, float] = field(default_factory=dict)
    delta: float = 1.0
    split: SplitName = "test"

    @cached_property
    def _states(self) -> dict[str, StateRef]:
        return {"dense": self.dense, **self.pruned, **self.twins}

    @cached_property
    def nodes(self) -> tuple[Reading, ...]:
        """All readings: every network's answers and sparsity, and the neighbours of every example."""
        measures: list[Measure] = [Outputs(split=self.split), LayerSparsity()]
        states = self._states.values()
        readings = [Reading(measure=measure, state=state) for state in states for measure in measures]
        return (*readings, Reading(measure=Neighbours(split=self.split), state=self.dense))

    def study(self) -> Study:
        """The audit as a study. Its nodes are readings of given states: nothing is trained."""
        claims = Claims(self.read, self.nodes)
        told = [
            claim
            for number, name in enumerate(self.pruned)
            for claim in claims.of(number, name, groups=bool(self.groups), gate=self.gate)
        ]
        return Study(
            *titled(__doc__),
            settings=self._settings(),
            claims=tuple(told),
            figures=tuple(self._figures()),
            scale="",
            notes=NOTES if self.twins else (NO_TWIN, *NOTES),
            head=lambda results: sentence(self.read(results)),
        )

    def read(self, results: Results) -> Findings:
        """What is found, each part computed once for the same results."""
        return _findings(self, cast(Hashable, results))

    def _settings(self) -> Settings:
        ids = {name: state.id for name, state in self._states.items()}
        return Settings(
            dense=ids["dense"],
            pruned={name: ids[name] for name in self.pruned},
            twins={name: ids[name] for name in self.twins},
            split=self.split,
            groups=tuple(self.groups),
            gate=dict(self.gate),
            delta=self.delta,
        )

    def _figures(self) -> list[Figure]:
        listed = [
            ("measures", "What happened", MEASURES, lambda f: f.measures, Listing()),
            ("flips", "Which answers changed", FLIPS, lambda f: f.flips, Listing()),
            ("classes", "Which classes lost", GROUPS, lambda f: f.groups("class"), _INTERVALS),
        ]
        if self.groups:
            listed += [("groups", "Which groups lost", GROUPS, lambda f: f.groups(), _INTERVALS)]
        listed += [
            ("difficulty", "Were difficult examples lost?", DIFFICULTY, lambda f: f.difficulty, _INTERVALS),
            (
                "distortion",
                "Did weak classes lose more than strong ones?",
                DISTORTION,
                lambda f: f.distortion,
                Listing(),
            ),
        ]
        if self.twins:
            listed += [("exemplars", "Is it pruning, or another seed?", EXEMPLARS, lambda f: f.exemplars, Listing())]
        if len(self.pruned) > 1:
            listed += [("series", "Over sparsity", SERIES, lambda f: f.series, _LINES)]
        listed += [
            ("lost", "Lost: right before, wrong now", LISTS, lambda f: _first(f, examples.lost), self._pictures()),
            ("won", "Won: wrong before, right now", LISTS, lambda f: _first(f, examples.won), self._pictures()),
            (
                "given-up",
                "Given up by every pruned network",
                GIVEN_UP,
                lambda f: examples.given_up(f.pruned),
                Listing(),
            ),
            ("suspects", "Labels to look at", SUSPECTS, lambda f: examples.suspects(f.evidence), self._pictures()),
        ]
        return [self._figure(*parts) for parts in listed]

    def _figure(self, name: str, title: str, caption: str, rows: Callable[[Findings], list[Row]], plot: Plot) -> Figure:
        def table(results: Results) -> list[Row]:
            found = rows(self.read(results))
            return found[: examples.FIRST] if name in ("given-up", "suspects") else found

        return Figure(name, title, caption=caption, rows=[Computed(self.nodes, table)], plot=plot)

    def _pictures(self) -> Plot:
        """A contact sheet where the inputs are pictures, otherwise the rows."""
        source = task_of(self.dense).data.source
        part: Literal["train", "test"] = "test" if self.split == "test" else "train"
        shape = getattr(source.load(), f"{part}_x").shape
        if len(shape) == 3 and shape[0] in (1, 3):
            return Sheet(source, split=part, panel="network")
        return Listing()


def task_of(state: StateRef) -> Any:
    """The task of a state's run."""
    run: Any = state.run
    return run.task


@lru_cache(maxsize=2)
def _findings(audit: Audit, results: Any) -> Findings:
    outputs = {
        name: results[Reading(measure=Outputs(split=audit.split), state=ref)] for name, ref in audit._states.items()
    }
    like = outputs["dense"]
    known = {
        name: answers(
            name, outputs[name], float(results[Reading(measure=LayerSparsity(), state=ref)]["sparsity"]), like
        )
        for name, ref in audit._states.items()
    }
    seeds = [known["dense"], *(known[name] for name in audit.twins)]
    check_seeds(seeds)
    count = max(like["log_probability"].shape[1], int(like["label"].max()) + 1)
    names = tuple(task_of(audit.dense).data.source.class_names) or tuple(map(str, range(count)))
    columns: dict[str, Column] = {
        name: column(name, values, len(like["label"])) for name, values in audit.groups.items()
    }
    neighbours = results[Reading(measure=Neighbours(split=audit.split), state=audit.dense)]["neighbours"]
    evidence = Evidence(
        dense=known["dense"],
        pruned=tuple(known[name] for name in audit.pruned),
        twins=tuple(known[name] for name in audit.twins),
        clean=np.asarray(like["clean"]),
        index=np.asarray(like["index"]),
        classes=names,
        groups=columns,
        neighbours=np.asarray(neighbours),
    )
    return Findings(evidence, audit.delta)


def _first(findings: Findings, of: Callable[..., list[Row]]) -> list[Row]:
    """The first examples of a list for every pruned network."""
    return [{"network": one.other.name, **row} for one in findings.pruned for row in of(one)[: examples.FIRST]]


def sentence(findings: Findings) -> str:
    """What happened, to whom, and whether it is more than another seed."""
    return " ".join(filter(None, (_what(findings), _whom(findings), _seeds(findings), _safe(findings))))


def _hardest(findings: Findings) -> Any:
    """The sparsest network, of which the head of the page speaks."""
    return max(findings.pruned, key=lambda one: one.other.sparsity)


def _what(findings: Findings) -> str:
    one = _hardest(findings)
    before, after = (100 * float(network.wrong.mean()) for network in (one.dense, one.other))
    return (
        f"{one.other.name} ({100 * one.other.sparsity:.1f} % sparse) is wrong on {after:.1f} % of "
        f"{len(findings.evidence):,} examples and the dense network on {before:.1f} %: {int(one.lost.sum())} lost, "
        f"{int(one.won.sum())} won, McNemar's p {one.mcnemar:.2g}."
    )


def _whom(findings: Findings) -> str:
    one = _hardest(findings)
    places = one.places("class", *{part.family for part in one.parts} - {"all"})
    family = one.changes.at(places)
    worst = int(family.low.argmax())
    part = one.parts[places[worst]]
    ends = ", ".join(f"{100 * end[worst]:.1f}" for end in (family.low, family.high))
    return f"The worst is {part.family} {part.name}: {100 * family.estimate[worst]:.1f} points lost [{ends}], jointly."


def _seeds(findings: Findings) -> str:
    one = _hardest(findings)
    if not findings.evidence.twins:
        return "No twin was given, so whether another seed would have changed as much cannot be told."
    excess = one.floor.excess
    harmed = [one.parts[place].name for place in excess.low.argsort()[::-1] if excess.low[place] > 0]
    if not harmed:
        return "That is not shown to be more than another seed would change."
    names = ", ".join(harmed[:3]) + (", ..." if len(harmed) > 3 else "")
    return f"More than another seed would change: {names}."


def _safe(findings: Findings) -> str:
    if len(findings.pruned) < 2:
        return ""
    best, why = findings.safe
    safe = "None of the sparsities is shown to be safe" if best is None else f"Safe up to {100 * best:.1f} %"
    return f"{safe} (no class or group loses more than {findings.delta:g} points){': ' + why if why else ''}."


_INTERVALS = Intervals("group", "change", "low", "high", panel="network", x_label="points of error lost", zero=True)
_LINES = Lines(
    "sparsity", "value", series="series", x_label="sparsity, %", y_label="value", share_y=False, references=("dense",)
)
MEASURES = (
    "Means over the examples, of the dense and the pruned network; the change with its 95 % interval over examples "
    "(bootstrap of pairs for the calibration error, which is debiased over bins of equally many examples). Beside it "
    "the change of the twins: mean, least and most."
)
FLIPS = (
    "Lost: right before, wrong now. Won: the other way round. p: exact, that as many are lost as won. The smallest "
    "visible change is the rise in error that this test set would have shown in 80 of 100 cases. Twins stand below."
)
GROUPS = (
    "Percentage points of examples that the dense network answers right and this one wrong, net, with intervals that "
    "hold jointly for all classes and groups; worst first. The data have the twins' changes and the excess over all "
    "dense networks, whose intervals are joint as well and take up what a seed changes."
)
DIFFICULTY = (
    "The examples in fifths by difficulty, which is judged by none of the networks compared: grouping by the dense "
    "network's own loss would show a gain for its hardest examples where nothing was pruned. Joint intervals."
)
DISTORTION = (
    "Slope of the classes' change in accuracy on the dense network's accuracy by class; positive where the weak lose "
    "more. Twins show what slope another seed has, mostly negative: a class that was unlucky once recovers."
)
EXEMPLARS = (
    "Examples whose most frequent answer differs between pruned and dense networks, and between two sets of dense "
    "networks as large, over random sets. The false discovery rate is the share of the list that chance explains."
)
SERIES = "All pruned networks by sparsity; the dense one is dashed."
LISTS = "The most confident answers first; the file of examples has all of them."
GIVEN_UP = "Right by every dense network, wrong by every pruned one, largest rise in loss first."
SUSPECTS = (
    "Examples that the dense networks answer otherwise than their label, the least probable label first. They were "
    "trained on none of them, so these are labels to look at, not labels that are known to be wrong."
)
NO_TWIN = (
    "No twin: a network of the same training with another seed was not given. Whatever is said here is of these two "
    "networks; whether another seed would have changed as much cannot be told."
)
NOTES = (
    "Two states cannot tell why: whether a change comes of the removed weights or of the training around their removal "
    "needs networks that were trained as long without pruning, and narrower ones.",
    "Intervals over examples speak of these networks and of more examples like these; the excess over dense networks "
    "speaks of other seeds, too.",
)
