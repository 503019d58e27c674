"""A stored state as a plain module, to go on with outside: save, export, deploy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL, StateRef
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.runs.graph.described import task_of_manifest
from prunescope.runs.graph.families import final
from prunescope.runs.graph.given import Given, Run
from prunescope.runs.machine.loader import Loader
from prunescope.runs.store.housekeeping import find
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.results import Missing, StoredResults
from prunescope.runs.store.store import Store
from prunescope.tasks.compact import Compact, compact, module_of
from prunescope.tasks.task import Task

EXAMPLES = 8
"""Inputs of the data set on which outputs are compared."""


@dataclass(frozen=True)
class LoadedModule:
    """A stored state in its network.

    module: in evaluation mode, removed weights exactly 0 or, where units were left out, gone.
    inputs: of some test examples, normalized [B, ...].
    run: the id.
    task: network and data.
    removed: units that were left out, by layer; kept: why others that are gone were not.
    """

    module: nn.Module
    inputs: Tensor
    run: str
    task: Task
    removed: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def load_module(state: StateRef | Run | str, *, store: Store | Path | str, smaller: bool = False) -> nn.Module:
    """The network of a stored state, in evaluation mode, with removed weights exactly 0.

    It takes examples normalized as the recipe's data set is. Save its `state_dict()`, or give it to `torch.export` or
    `torch.onnx`; `ps.export` does so and compares outputs.

    state: a run, for its end, or one of its kept states; or the first digits of a run's id.
    smaller: leaves out filters and neurons of which nothing is left; outputs are equal to 1e-5.

    Raises Missing when the state is not stored, UsageError where nothing can be left out.
    """
    return loaded(state, store=store, smaller=smaller).module


def loaded(state: StateRef | Run | str, *, store: Store | Path | str, smaller: bool = False) -> LoadedModule:
    """The same as `load_module`, with inputs and with what was left out."""
    store = open_store(store)
    loader = Loader(store)
    task, run, weights, named = _stored(state, loader)
    model = loader.model(named)
    test = task.data.source.load().test_x
    x = test.take(torch.arange(min(EXAMPLES, len(test))))
    if not smaller:
        return LoadedModule(module_of(model, weights), x, run, task)
    # Examples may have zeros, as pictures have black corners; tokens may not be other numbers.
    noise = [] if task.network.layout is not None else [torch.randn(x.shape, generator=stream(0, "compact"))]
    found: Compact = compact(model, weights, torch.cat([x, *noise]))
    return LoadedModule(found.module, x, run, task, found.removed, found.kept)


def _stored(state: StateRef | Run | str, loader: Loader) -> tuple[Task, str, Weights, Any]:
    """The task, the run's id, the weights, and a node with the task: that which was given, or one in its place."""
    store = loader.store
    if isinstance(state, str):
        run = find(store, state)
        manifest = store.manifest(run) or {}
        if manifest.get("status") != "done":
            raise UsageError(f"run {run[:12]} failed, so it has no last state: {manifest.get('why', '')}")
        if (task := task_of_manifest(manifest)) is None:
            raise UsageError(
                f"the network of run {run[:12]} was an object of a notebook, or its module is not here; "
                "use ps.load_module(recipe, store=...) where it is defined"
            )
        weights = store.weights(run, FINAL.id)
        return task, run, weights, Given(task=task, tensors=weights.digest)
    if not isinstance(state, StateRef | Run):
        raise UsageError(f"{state!r} is no state; give a run, one of its states, or the first digits of a run's id")
    state = final(state) if isinstance(state, Run) else state
    recipe, moment = StoredResults(store).run(state.run), state.moment.id
    if not store.storage.exists(store.state_key(recipe.id, moment)):
        raise Missing(f"the state {state.moment.when} of run {recipe.id[:8]} is not in {store.url}; ensure it")
    return recipe.task, recipe.id, loader.weights(state), recipe
