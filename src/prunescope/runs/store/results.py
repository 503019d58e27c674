"""Reading what is stored: from a node to its values."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from prunescope.base.blame import blaming
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.records import Records
from prunescope.base.value import Value
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Chosen, Combined, Measured, Trace
from prunescope.runs.graph.recipe import Subset
from prunescope.runs.store.store import Store, Values
from prunescope.tasks.model import resolve

FACTS = ("step", "steps", "sparsity", "parameters")
"""What is known of every run that ended well."""


class Missing(PrunescopeError, KeyError):
    """A node's values are not in the store: it has not been computed, or a run that it needs failed."""

    def __str__(self) -> str:
        return str(self.args[0])


class Failed(Missing):
    """A run that a node needs is stored as failed, with the reason: a loss that is not a number, a lost layer."""


class StoredResults:
    """The values of nodes, read from a store on demand. A mapping from node to {name: array}.

    A reading or trace gives its stored arrays; a recipe gives its `FACTS`; a combination is computed from its
    inputs; a choice gives {"index": ...}.
    """

    def __init__(self, store: Store) -> None:
        """Reads nothing yet."""
        self.store = store
        self._cache: dict[str, Values] = {}
        self._failures: dict[str, str] = {}

    def __getitem__(self, node: Value) -> Values:
        if not isinstance(node, Value):
            raise UsageError(f"{node!r} is no node; ask for a reading, a run or a trace")
        if node.id not in self._cache:
            self._cache[node.id] = self._read(node)
        return self._cache[node.id]

    def __contains__(self, node: Value) -> bool:
        try:
            self[node]
        except Missing:
            return False
        return True

    def run(self, run: Value) -> Run:
        """The run that a reference stands for: itself, or the one that was chosen."""
        if isinstance(run, Chosen):
            return run.among[int(self[run]["index"])]
        if not isinstance(run, Run):
            raise PrunescopeError(f"{type(run).__name__} stands for no run")
        return run

    def rows(self, subset: Subset) -> np.ndarray[Any, Any]:
        """The training rows that a subset stands for, int64 [M], increasing."""
        source = self[subset.source]
        with blaming(f"the subset rule {subset.rule}"):
            rows = np.unique(np.asarray(resolve(subset.rule)(source, **subset.args), dtype=np.int64))
        if len(rows) == 0:
            raise PrunescopeError(f"the subset rule {subset.rule} with {subset.args} leaves no training example")
        return rows

    def table(self, labels: Iterable[tuple[dict[str, Any], Value]]) -> Records:
        """A tidy table: one row a node, its labels followed by its scalar values.

        The row of a node without a result has not a number in the columns of the others, and says why in "missing".
        """
        rows = []
        for pair in labels:
            if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], Mapping):
                raise UsageError(f"a table is of pairs such as ({{'arm': 'dense'}}, reading), and not of {pair!r}")
            label, node = pair
            try:
                values = {name: value.item() for name, value in self[node].items() if np.ndim(value) == 0}
            except Missing as problem:
                values = {"missing": str(problem)}
            if both := label.keys() & values.keys():
                raise UsageError(f"{min(both)!r} is a label and a value of {type(node).__name__}; rename the label")
            rows.append({**label, **values})
        columns = list(dict.fromkeys(name for row in rows if "missing" not in row for name in row))
        return Records(dict.fromkeys(columns, math.nan) | row if "missing" in row else row for row in rows)

    def __repr__(self) -> str:
        return f"<StoredResults in {self.store.root}: {len(self._cache)} nodes read so far; results[node], .table(...)>"

    def why_failed(self, node: Value) -> str:
        """The failure of the nearest run that a node needs, itself included; empty if none is stored as failed."""
        pending, known = [node], {node.id}
        for current in pending:  # which grows: nearest first
            if isinstance(current, Run) and (why := self._failure(current.id)):
                return f"run {current.id[:8]} failed: {why}"
            nearer = [value for value in current.references if value.id not in known]
            known |= {value.id for value in nearer}
            pending += nearer
        return ""

    def _failure(self, run: str) -> str:
        if run not in self._failures:
            stored = self.store.known_runs([run]).get(run)
            self._failures[run] = stored["why"] if stored and stored["status"] == "failed" else ""
        return self._failures[run]

    def _missing(self, node: Value, name: str) -> Missing:
        """The error that says why a node has no result."""
        why = self.why_failed(node)
        if why:
            return Failed(why if isinstance(node, Run) and self._failure(node.id) else f"{name} has no result: {why}")
        return Missing(f"{name} is not in the store")

    def _read(self, node: Value) -> Values:
        if isinstance(node, Measured):
            if not self.store.has_reading(node.id):
                raise self._missing(node, f"reading {node.id[:8]} ({node.title})")
            return self.store.reading(node.id)
        if isinstance(node, Trace):
            if not self.store.storage.exists(self.store.trace_key(node.run.id, node.probe.id)):
                raise self._missing(node, f"the trace of run {node.run.id[:8]} by {type(node.probe).__name__}")
            return self.store.trace(node.run.id, node.probe.id)
        if isinstance(node, Combined):
            inputs = [self[value] for value in node.inputs]
            with blaming(f"{node.function} of {len(inputs)} inputs"):
                values = resolve(node.function)(inputs, **node.args)
            return {name: np.asarray(value) for name, value in values.items()}
        if isinstance(node, Chosen):
            inputs = [self[value] for value in node.inputs]
            with blaming(f"the rule {node.rule}"):
                index = int(resolve(node.rule)(inputs, **node.args))
            if not 0 <= index < len(node.among):
                raise PrunescopeError(f"the rule {node.rule} chose {index} of {len(node.among)} runs")
            return {"index": np.asarray(index)}
        if isinstance(node, Run):
            manifest = self.store.manifest(node.id)
            if manifest is None or manifest["status"] != "done":
                raise self._missing(node, f"run {node.id[:8]}")
            return {name: np.asarray(manifest[name]) for name in FACTS}
        raise UsageError(
            f"a {type(node).__name__} has no values of its own; read it: ps.Reading(measure=..., state=...)"
        )
