"""A listing of all stored runs, as their manifests say."""

import os
from dataclasses import dataclass, replace
from typing import Any, Literal

from prunescope.base.errors import StoreError
from prunescope.runs.store.store import Store


@dataclass(frozen=True)
class StoredRun:
    """One stored run, as a line of the listing.

    noise, sparsity: fractions.
    level: how many runs lie before it.
    seconds: of work.
    size: bytes of its folder.
    finished: when, ISO 8601.
    parent: the run it starts from, "" for none.
    """

    id: str
    status: Literal["done", "failed", "damaged"]
    network: str
    data: str
    noise: float
    level: int
    seed: int
    sparsity: float
    steps: int
    seconds: float
    size: int
    finished: str
    parent: str


def listing(store: Store) -> list[StoredRun]:
    """All stored runs, the last finished first."""
    shelves = (store.root / "runs").glob("*")
    rows = [_row(store, folder) for shelf in shelves for folder in os.scandir(shelf)]
    levels = _levels({row.id: row.parent for row in rows})
    rows = [replace(row, level=levels[row.id]) for row in rows]
    return sorted(rows, key=lambda row: (row.finished, row.id), reverse=True)


def _row(store: Store, folder: os.DirEntry[str]) -> StoredRun:
    size = sum(file.stat().st_size for file in os.scandir(folder.path))
    try:
        manifest = store.manifest(folder.name)
        if manifest is not None:
            return StoredRun(id=folder.name, level=0, size=size, **_facts(manifest))
    except (StoreError, KeyError, TypeError):
        pass  # listed as damaged; `prunescope runs verify` says how
    return StoredRun(folder.name, "damaged", "?", "?", 0.0, 0, 0, 0.0, 0, 0.0, size, "", "")


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the listing shows of a manifest; a failed run has no length and no sparsity."""
    recipe, execution = manifest["recipe"], manifest.get("exec", {})
    network, data = recipe["task"]["network"], recipe["task"]["data"]
    scale = network["args"].get("scale", 1.0)
    return {
        "status": manifest["status"],
        "network": network["path"].rpartition(":")[2] + (f" x{scale:.3g}" if scale != 1 else ""),
        "data": data["source"].get("name", data["source"]["kind"].lower()),
        "noise": data["label_noise"],
        "seed": recipe["seeds"]["order"],
        "sparsity": manifest.get("sparsity", 0.0),
        "steps": manifest.get("steps", 0),
        "seconds": execution.get("seconds", 0.0),
        "finished": execution.get("finished", ""),
        "parent": recipe["start"].get("run", ""),
    }


def _levels(parents: dict[str, str]) -> dict[str, int]:
    """How many runs lie before each one, by id; parents: the run each one starts from, or "" for none."""
    levels: dict[str, int] = {}
    for run in parents:
        chain = [run]
        while chain[-1] not in levels and parents.get(chain[-1]):
            chain.append(parents[chain[-1]])
        first = levels.get(chain[-1], 0)
        levels |= {name: first + depth for depth, name in enumerate(reversed(chain))}
    return levels
