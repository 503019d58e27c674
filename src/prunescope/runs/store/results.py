"""Reading what is stored: from a node to its values."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import Chosen, Combined, Reading, Trace
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.runs.store.store import Store, Values
from prunescope.tasks.model import resolve


class Missing(PrunescopeError, KeyError):
    """A node's values are not in the store: it has not been run, or its run failed."""

    def __str__(self) -> str:
        return str(self.args[0])


class Failed(Missing):
    """A run is stored as failed: its loss was not a number, or a layer lost its last weight."""


class StoredResults:
    """The values of nodes, read from a store on demand. A mapping from node to {name: array}.

    A reading or trace gives its stored arrays; a recipe gives its facts (step, steps, sparsity, parameters); a
    combination is computed from its inputs; a choice gives {"index": ...}.
    """

    def __init__(self, store: Store) -> None:
        """Reads nothing yet."""
        self.store = store
        self._cache: dict[str, Values] = {}

    def __getitem__(self, node: Value) -> Values:
        if node.id not in self._cache:
            self._cache[node.id] = self._read(node)
        return self._cache[node.id]

    def __contains__(self, node: Value) -> bool:
        try:
            self[node]
        except Missing:
            return False
        return True

    def recipe(self, run: Value) -> Recipe:
        """The recipe that a reference's run stands for: itself, or the one that was chosen."""
        if isinstance(run, Chosen):
            return run.among[int(self[run]["index"])]
        if not isinstance(run, Recipe):
            raise PrunescopeError(f"{type(run).__name__} stands for no run")
        return run

    def state_key(self, state: StateRef) -> tuple[Recipe, str]:
        """The run and the moment's id under which a referenced state is stored."""
        return self.recipe(state.run), state.moment.id

    def rows(self, subset: Subset) -> np.ndarray[Any, Any]:
        """The training rows that a subset stands for, int64 [M], increasing."""
        rows = np.unique(np.asarray(resolve(subset.rule)(self[subset.source], **subset.args), dtype=np.int64))
        if len(rows) == 0:
            raise PrunescopeError(f"the subset rule {subset.rule} with {subset.args} leaves no training example")
        return rows

    def table(self, labels: Iterable[tuple[dict[str, Any], Value]]) -> list[dict[str, Any]]:
        """A tidy table: one row a node, its labels followed by its scalar values. Missing nodes give no row."""
        rows = []
        for label, node in labels:
            if node in self:
                scalars = {name: value.item() for name, value in self[node].items() if np.ndim(value) == 0}
                rows.append({**label, **scalars})
        return rows

    def _read(self, node: Value) -> Values:
        if isinstance(node, Reading):
            if not self.store.reading_path(node.id).exists():
                raise Missing(f"reading {node.id} ({type(node.measure).__name__}) is not in the store")
            return self.store.reading(node.id)
        if isinstance(node, Trace):
            if not self.store.trace_path(node.run.id, node.probe.id).exists():
                raise Missing(f"the trace of run {node.run.id} by {type(node.probe).__name__} is not in the store")
            return self.store.trace(node.run.id, node.probe.id)
        if isinstance(node, Combined):
            values = resolve(node.function)([self[value] for value in node.inputs], **node.args)
            return {name: np.asarray(value) for name, value in values.items()}
        if isinstance(node, Chosen):
            index = int(resolve(node.rule)([self[value] for value in node.inputs], **node.args))
            if not 0 <= index < len(node.among):
                raise PrunescopeError(f"the rule {node.rule} chose {index} of {len(node.among)} runs")
            return {"index": np.asarray(index)}
        if isinstance(node, Recipe):
            manifest = self.store.manifest(node.id)
            if manifest is None:
                raise Missing(f"run {node.id} is not in the store")
            if manifest["status"] != "done":
                raise Failed(f"run {node.id} failed: {manifest['why']}")
            return {name: np.asarray(manifest[name]) for name in ("step", "steps", "sparsity", "parameters")}
        raise Missing(f"{type(node).__name__} {node.id} has no values of its own")
