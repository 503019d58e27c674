"""Runs of the store, by their ids or the first digits of one."""

import re
from collections.abc import Mapping
from typing import Any, cast

from prunescope.audit.origins.loaded import Loaded
from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.base.streams import Seeds
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import describe
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.housekeeping import find
from prunescope.runs.store.store import Store
from prunescope.studies.kinds import KIND, has_kind, interface_of, kinds
from prunescope.tasks.task import Task

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
    task = _task(recipe["task"], run)
    if task is None:
        return Loaded(name, tensors)
    return Loaded(name, tensors, own=(task.network, tensors), task=task, seeds=Seeds(**_fields(recipe["seeds"])))


def recipe_of(thing: Any, store: Store) -> Recipe | None:
    """The recipe of the run whose id begins so; None where its manifest does not say all of it."""
    if not isinstance(thing, str) or not _ID.fullmatch(thing):
        return None
    run = find(store, thing)
    try:
        recipe = cast(Recipe, _value((store.manifest(run) or {})["recipe"], Recipe))
    except (KeyError, UsageError):
        return None
    return recipe if recipe.id == run else None


def _task(described: Mapping[str, Any], run: str) -> Task | None:
    """The task of a manifest; None where it has a part that only another process had: an instance, a class.

    Raises UsageError where the code behind it changed.
    """
    if described["network"].get("given") is not None:
        return None
    try:
        task = cast(Task, _value(described, Task))
    except (KeyError, UsageError):
        return None
    now = describe(task)
    if isinstance(now, dict) and any(now[key] != described.get(key, now[key]) for key in now):
        raise UsageError(f"the code behind run {run[:12]} changed since it was trained; name its network and data")
    return task


def _value(described: Any, interface: type[Value]) -> Any:
    """A value from its description in a manifest. Raises KeyError for a kind that is not known here."""
    if isinstance(described, list):
        return tuple(_value(item, interface) for item in described)
    if not has_kind(described):
        return described
    cls = interface if described[KIND] == interface.__name__ else kinds(interface)[described[KIND]]
    inner = {name: interface_of(cls.model_fields[name].annotation) for name in cls.model_fields}
    return cls(**{name: _value(item, inner[name] or Value) for name, item in _fields(described).items()})


def _fields(described: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in described.items() if name not in (KIND, "code")}
