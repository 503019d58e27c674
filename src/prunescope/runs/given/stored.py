"""Runs of the store, by their ids or the first digits of one."""

import re
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.kinds import KIND, import_all
from prunescope.base.reference import FINAL
from prunescope.base.streams import Seeds
from prunescope.runs.given.tensors import Loaded
from prunescope.runs.graph.described import task_of_manifest, value_of
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.housekeeping import find
from prunescope.runs.store.store import Store

_ID = re.compile(r"[0-9a-fA-F]{4,32}")


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The last state of a run, with its network and data. Raises UsageError for an id that is unknown or ambiguous."""
    if not isinstance(thing, str) or not _ID.fullmatch(thing):
        return None
    run = find(store, thing)
    manifest = store.manifest(run) or {}
    if manifest.get("status") != "done":
        raise UsageError(f"run {run[:12]} failed, so it has no last state: {manifest.get('why', '')}")
    weights, recipe = store.weights(run, FINAL.id), manifest["recipe"]
    tensors = {**weights.params, **weights.buffers}
    task = task_of_manifest(manifest)
    if task is None:
        return Loaded(name, tensors)
    seeds = Seeds(**{key: item for key, item in recipe["seeds"].items() if key != KIND})
    return Loaded(name, tensors, own=(task.network, tensors), task=task, seeds=seeds)


def recipe_of(thing: Any, store: Store) -> Recipe | None:
    """The recipe of the run whose id begins so; None where its manifest does not say all of it."""
    if not isinstance(thing, str) or not _ID.fullmatch(thing):
        return None
    run = find(store, thing)
    import_all()
    try:
        recipe = value_of((store.manifest(run) or {})["recipe"], [Recipe])
    except (KeyError, UsageError):
        return None
    return recipe if isinstance(recipe, Recipe) and recipe.id == run else None
