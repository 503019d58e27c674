"""Runs as boards show them: settings, curves, results."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from prunescope.base.value import Value
from prunescope.runs.graph.nodes import Measured, Trace, closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.results import FACTS, StoredResults
from prunescope.runs.store.store import Store, Values
from prunescope.studies.extent import flat

_PLACES = {"step", "local", "phase", "epoch"}


@dataclass(frozen=True)
class Record:
    """One stored run.

    id: of the run.
    group: the study that it was taken from, or "runs".
    status: "done" or "failed".
    settings: its recipe, by dotted names.
    curves: by name, the steps (since the first initialization, int64 [rows]) and the values ([rows]).
    results: what was measured of its states, and its size, by name.
    """

    id: str
    group: str
    status: str
    settings: Mapping[str, Any]
    curves: Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]
    results: Mapping[str, float]

    @property
    def name(self) -> str:
        """A short name for people."""
        return self.id[:12]

    @property
    def last(self) -> int:
        """The step at its end."""
        return int(self.results.get("step", 0))

    def rows(self) -> Iterator[tuple[int, dict[str, float]]]:
        """All values of a step at once, steps in order; the last one of a curve that has several at a step."""
        by_step: dict[int, dict[str, float]] = {}
        for name, (steps, values) in self.curves.items():
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                by_step.setdefault(step, {})[name] = value
        yield from sorted(by_step.items())


def of_runs(store: Store, runs: Iterable[str]) -> Iterator[Record]:
    """Stored runs by their ids, with every stored trace; which readings are of a run, only a study knows."""
    for run in runs:
        traces = store.known_runs([run])[run]["traces"]
        named = {trace: f"trace {trace[:4]}" for trace in sorted(traces)}
        if len(named) == 1:
            named = dict.fromkeys(named, "trace")
        yield _record(store, run, "runs", {name: store.trace(run, trace) for trace, name in named.items()}, {})


def of_nodes(store: Store, nodes: Iterable[Value], group: str) -> Iterator[Record]:
    """The stored ones of all runs that some nodes need, with their traces and scalar readings."""
    every, results = closure(nodes).values(), StoredResults(store)
    by_run, runs = measured(every), [node.id for node in every if isinstance(node, Recipe)]
    stored = store.known_runs(runs)
    for run in (run for run in runs if run in stored):
        kinds = [[node for node in by_run.get(run, []) if isinstance(node, kind)] for kind in (Trace, Measured)]
        curves, values = ({name: results[node] for name, node in _named(of) if node in results} for of in kinds)
        yield _record(store, run, group, curves, values)


def measured(nodes: Iterable[Value]) -> dict[str, list[Trace | Measured]]:
    """Readings, comparisons and traces by the run that they are of, comparisons by that of the first state."""
    by_run: dict[str, list[Trace | Measured]] = {}
    for node in nodes:
        if isinstance(node, Trace | Measured):
            run = node.run if isinstance(node, Trace) else node.states[0].run
            by_run.setdefault(run.id, []).append(node)
    return by_run


def _named(nodes: list[Any]) -> list[tuple[str, Any]]:
    """Each node with a name that no other one has: its kind and split, and more only where that is needed."""
    names = [_name(node) for node in nodes]
    several = Counter(names)
    return [
        (name if several[name] == 1 else f"{name} {node.id[:4]}", node) for name, node in zip(names, nodes, strict=True)
    ]


def _name(node: Trace | Measured) -> str:
    of = node.probe if isinstance(node, Trace) else node.of
    moments = [] if isinstance(node, Trace) else [s.moment for s in node.states if s.moment.when != "final"]
    parts = [type(of).__name__, getattr(of, "split", ""), *(f"{m.when} {m.at}" for m in moments)]
    return " ".join(part for part in parts if part)


def _record(store: Store, run: str, group: str, traces: Mapping[str, Values], readings: Mapping[str, Values]) -> Record:
    manifest = store.manifest(run) or {}
    curves = {name: curve for trace, columns in traces.items() for name, curve in _curves(trace, columns)}
    results = {name: float(manifest[name]) for name in FACTS if name in manifest}
    for reading, values in readings.items():
        results |= {f"{reading}/{name}": float(value) for name, value in values.items() if np.ndim(value) == 0}
    recipe = manifest.get("recipe", {})
    return Record(run, group, str(manifest.get("status", "")), flat(recipe), curves, results)


def _curves(trace: str, columns: Values) -> Iterator[tuple[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]]:
    """Each column as a curve; rows just before and just after events are curves of their own."""
    if "step" not in columns:
        return
    phases = columns.get("phase", np.full(len(columns["step"]), "step"))
    for phase in dict.fromkeys(phases.tolist()):
        rows = phases == phase
        label = "" if phase == "step" else f" {phase} events"
        for name, values in columns.items():
            if name not in _PLACES and np.issubdtype(values.dtype, np.number):
                yield (
                    f"{trace}{label}/{name}",
                    (columns["step"][rows].astype(np.int64), values[rows].astype(np.float64)),
                )
