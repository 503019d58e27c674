"""Runs of the store, by their ids or the first digits of one."""

import re
from collections.abc import Mapping
from typing import Any

from prunescope.audit.origins.loaded import Loaded
from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL
from prunescope.runs.store.housekeeping import find
from prunescope.runs.store.store import Store
from prunescope.tasks.model import Network

_PLAIN = ("path", "args", "revision", "prunable", "output")


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The last state of a run, with its network. Raises UsageError for an id that is unknown or ambiguous."""
    if not isinstance(thing, str) or not re.fullmatch(r"[0-9a-fA-F]{4,32}", thing):
        return None
    run = find(store, thing)
    manifest = store.manifest(run) or {}
    if manifest.get("status") != "done":
        raise UsageError(f"run {run[:12]} failed, so it has no last state: {manifest.get('why', '')}")
    weights = store.weights(run, FINAL.id)
    network, tensors = _network(manifest["recipe"]["task"]["network"]), {**weights.params, **weights.buffers}
    return Loaded(name, tensors, own=None if network is None else (network, tensors))


def _network(described: Mapping[str, Any]) -> Network | None:
    """The network of a manifest; None for one that was an instance of another process."""
    if described.get("given") is not None or described.get("layout") is not None:
        return None
    return Network(**{key: described[key] for key in _PLAIN if described.get(key) is not None})
