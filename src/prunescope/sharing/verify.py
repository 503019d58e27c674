"""Somebody else's runs, trained again: a share of a bundle, compared bit by bit, or by what follows from it.

Belongs here: which runs, and the comparison. Does not belong here: values from texts (`rebuilt.py`), the files
themselves (`bundle.py`).
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.status import Display
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Chosen, Combined, closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.results import FACTS, StoredResults
from prunescope.runs.store.store import Store, Values
from prunescope.sharing.bundle import RUNS, Bundle, DamagedBundle, printable
from prunescope.studies.judging import judge_all
from prunescope.studies.study import Study
from prunescope.studies.summary import finite, summary

CIRCUMSTANCES = (
    "device",
    "threads",
    "engine",
    "kernels",
    "stack",
    "way",
    "members",
    "compilers",
    "torch",
    "prunescope",
)
"""What bits depend on besides the processor; see `runs/execution/manifest.execution`."""
NUMBERS = ("n", "estimate", "low", "high", "p", "p_holm")
"""Of a verdict, what follows from values."""
CLOSE = 1e-3
"""Values of equal weights differ by no more than this, by rounding: of numbers relative to the largest, of labels and
answers the share of those that differ."""


@dataclass(frozen=True)
class Trained:
    """A run that was trained again.

    run: its id.
    bits: whether all of its kept states have the published digests.
    elsewhere: in what the two executions differ, so that bits need not agree; empty if in nothing.
    furthest: the value that lies furthest from the published one, relative to it, and how far; "" if all are equal.
    """

    run: str
    bits: bool
    elsewhere: tuple[str, ...]
    furthest: str = ""
    distance: float = 0.0

    @property
    def contradicted(self) -> bool:
        """Whether weights, or values of equal weights, are others though nothing else is."""
        return not self.elsewhere and (not self.bits or self.distance > CLOSE)


@dataclass(frozen=True)
class Verification:
    """What training again said.

    trained: the runs, ancestors of the drawn ones included.
    runs: how many could be drawn.
    seed: of the draw.
    verdicts: of how many claims the published verdict follows from the published values; None where the study is not
        known here.
    wrong: claims of which it does not, and what follows instead.
    changed: claims whose verdict is another with the values of the runs trained here in place of the published ones.
    """

    trained: tuple[Trained, ...]
    runs: int
    seed: int
    verdicts: int | None
    wrong: Mapping[str, str]
    changed: Mapping[str, str]

    @property
    def contradicted(self) -> tuple[Trained, ...]:
        """Runs that speak against the bundle."""
        return tuple(run for run in self.trained if run.contradicted)

    @property
    def agrees(self) -> bool:
        """Whether nothing speaks against the bundle: bits where they can agree, verdicts everywhere."""
        return not (self.contradicted or self.wrong or self.changed)


def verify(
    bundle: Bundle,
    nodes: Mapping[str, Value],
    *,
    store: Store,
    share: float = 0.01,
    seed: int | None = None,
    study: Study | None = None,
    workers: int | None = None,
    display: Display | None = None,
) -> Verification:
    """Trains a random share of a bundle's runs, with all their ancestors, and compares states and values.

    nodes: by id, at least those of the runs; from `rebuilt.values`, or from the study.
    store: for what is trained here; not the one that the bundle was made from.
    share: of the runs, in (0, 1]; at least one is drawn. seed: of the draw; by default another at every call.
    study: as this version builds it, for the verdicts.

    Runs train as they were trained, by the recorded engine and products where this machine has them.
    """
    if not 0 < share <= 1:
        raise UsageError(f"share={share} is no share of the runs; use more than 0 and at most 1")
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    done = sorted(run for run, record in bundle.runs.items() if record.get("status") == "done" and run in nodes)
    if not done:
        raise UsageError("no run of the bundle can be trained here; see what it names")
    drawn = random.Random(seed).sample(done, max(1, round(share * len(done))))
    needed = {key: node for key, node in closure(nodes[run] for run in drawn).items() if isinstance(node, Recipe)}
    groups = _by_setting(bundle, needed)
    wanted = _wanted(bundle, nodes, needed)
    for setting, group in groups.items():
        parts = [node for run in group for node in wanted[run]]
        ensure(*parts, store=store, workers=workers, engine=setting, stack=1, display=display)
    results, ours = StoredResults(store), dict[str, Values]()
    trained = tuple(_compared(bundle, recipe, wanted[run], results, ours) for run, recipe in needed.items())
    wrong, changed = dict[str, str](), dict[str, str]()
    if study is not None:
        before = _verdicts(study, bundle, {})
        wrong = _not_following(bundle, before)
        after = before if all(run.bits and not run.furthest for run in trained) else _verdicts(study, bundle, ours)
        pairs = {name: (_outcome(before[name]), _outcome(claim)) for name, claim in after.items()}
        changed = {name: f"{old}; with the runs trained here {new}" for name, (old, new) in pairs.items() if old != new}
    return Verification(trained, len(done), seed, None if study is None else len(study.claims), wrong, changed)


def _wanted(bundle: Bundle, nodes: Mapping[str, Value], needed: Mapping[str, Recipe]) -> dict[str, list[Value]]:
    """By run, what is to be made of it: its kept states, and what was measured of it and of other runs among these."""
    moments = {node.moment.id: node.moment for node in nodes.values() if isinstance(node, StateRef)}
    wanted: dict[str, list[Value]] = {}
    for run, recipe in needed.items():
        wanted[run] = [StateRef(run=recipe, moment=moments[m]) for m in bundle.runs[run]["states"] if m in moments]
        for key in bundle.values(run):
            node = nodes.get(key)
            within = (
                node is not None and {p.id for p in closure([node]).values() if isinstance(p, Run)} <= needed.keys()
            )
            if node is not None and within:
                wanted[run].append(node)
    return wanted


def _by_setting(bundle: Bundle, needed: Mapping[str, Recipe]) -> dict[EngineSetting | None, list[str]]:
    """Runs, ancestors first, by how they were trained; None where this machine lacks that."""
    groups: dict[EngineSetting | None, list[str]] = {}
    for run in needed:
        try:
            setting = EngineSetting.of(bundle.runs[run]["exec"]).replace(stack=1, way="layers")
        except (ValueError, TypeError, KeyError):
            raise DamagedBundle({RUNS: f"run {run[:12]} does not say how it was trained"}) from None
        groups.setdefault(setting if setting.available("cpu") else None, []).append(run)
    return groups


def _compared(
    bundle: Bundle, recipe: Recipe, wanted: list[Value], results: StoredResults, ours: dict[str, Values]
) -> Trained:
    """The comparison of one run; adds its sizes here and what was measured of it to `ours`."""
    run, store = recipe.id, results.store
    record = bundle.runs[run]
    if results.why_failed(wanted[0]):
        return Trained(run, False, (), f"it failed here: {results.why_failed(wanted[0])}", math.inf)
    known = store.known_runs([run])[run]["states"]
    bits = all(m in known and store.weights(run, m).digest == digest for m, digest in record["states"].items())
    here = (store.manifest(run) or {}).get("exec", {})
    there = record["exec"]
    elsewhere = [name for name in CIRCUMSTANCES if here.get(name) != there.get(name)]
    if _processor(here) != _processor(there):
        elsewhere.append("processor")
    furthest, distance = "", 0.0
    published = {**bundle.values(run), run: {name: np.asarray(record[name]) for name in FACTS}}
    for node in (node for node in (recipe, *wanted) if node.id in published):
        ours[node.id], theirs = results[node], published[node.id]
        for name in sorted(theirs.keys() | ours[node.id].keys()):
            gap = _distance(theirs.get(name), ours[node.id].get(name))
            if gap > distance:
                furthest, distance = f"{type(node).__name__} {node.id[:8]} {printable(name)}", gap
    return Trained(run, bits, tuple(elsewhere), furthest, distance)


def _processor(execution: Mapping[str, Any]) -> str:
    return str(execution.get("machine", "")).partition(" cores, ")[2]


def _distance(theirs: Any, ours: Any) -> float:
    """The largest difference relative to the largest number, of other arrays the share of entries that differ.

    Infinite where they cannot be compared.
    """
    if theirs is None or ours is None or np.shape(theirs) != np.shape(ours):
        return math.inf
    if {theirs.dtype.kind, ours.dtype.kind} != {"f"}:
        return float(np.mean(np.asarray(theirs) != np.asarray(ours))) if np.size(theirs) else 0.0
    one, other = np.asarray(theirs, dtype=np.float64), np.asarray(ours, dtype=np.float64)
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return math.inf
    finite = np.isfinite(one)
    scale = float(np.abs(one[finite]).max(initial=0.0))
    gap = float(np.abs(one[finite] - other[finite]).max(initial=0.0))
    return gap / scale if scale else gap


class Published(StoredResults):
    """The values of a bundle as results of a study, some of them replaced. Nothing is read from a store."""

    def __init__(self, bundle: Bundle, ours: Mapping[str, Values]) -> None:
        super().__init__(cast(Store, None))
        self.bundle = bundle
        self.values = {node: found for run in bundle.measured for node, found in bundle.values(run).items()}
        self.values |= ours

    def _failure(self, run: str) -> str:
        record = self.bundle.runs.get(run, {})
        return str(record.get("why", "")) if record.get("status") == "failed" else ""

    def _read(self, node: Value) -> Values:
        if isinstance(node, Combined | Chosen):
            return super()._read(node)
        record = self.bundle.runs.get(node.id, {})
        if node.id not in self.values and record.get("status") == "done":
            return {name: np.asarray(record[name]) for name in FACTS}
        if node.id not in self.values:
            raise self._missing(node, f"{type(node).__name__} {node.id[:8]}")
        return self.values[node.id]


def _verdicts(study: Study, bundle: Bundle, ours: Mapping[str, Values]) -> dict[str, dict[str, Any]]:
    """What is said of each claim, as reports write it."""
    try:
        verdicts = judge_all(study.claims, Published(bundle, ours), study.rule)
    except (UsageError, ValueError, IndexError, TypeError, KeyError, ArithmeticError) as problem:
        raise DamagedBundle({"values": f"no claim can be judged from them ({problem})"}) from problem
    return {str(claim["name"]): claim for claim in finite(summary(study, verdicts)["claims"])}


def _outcome(claim: Mapping[str, Any]) -> str:
    by_paper = claim.get("by_paper")
    return f"{claim.get('by_interval')} by interval{f', {by_paper} by the rule of the paper' if by_paper else ''}"


def _not_following(bundle: Bundle, judged: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Published claims whose outcome or numbers do not follow from the published values, with what does."""
    published = {str(claim.get("name")): claim for claim in bundle.claims}
    wrong = {printable(name): "the study has no such claim" for name in published.keys() - judged.keys()}
    for name, claim in judged.items():
        said = published.get(name, {})
        if _outcome(said) != _outcome(claim):
            wrong[name] = f"published as {_outcome(said)}; from the values it is {_outcome(claim)}"
            continue
        odd = [key for key in NUMBERS if not _equal(said.get(key), claim[key])]
        if odd:
            wrong[name] = f"its {odd[0]} was published as {said.get(odd[0])}; from the values it is {claim[odd[0]]}"
    return wrong


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other
