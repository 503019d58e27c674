"""A listing of all stored runs that answers at once.

Packs of what manifests say lie in the store: whoever reads a hundred that are in none leaves one, so that the next has
one object to read and not a hundred. They repeat what manifests say and nothing else, and may be deleted at any time.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from functools import partial
from typing import Any, Literal

from prunescope.base.digest import text_digest
from prunescope.base.errors import StoreError
from prunescope.runs.store import sealed
from prunescope.runs.store.storage import AT_ONCE
from prunescope.runs.store.store import Store

VERSION = 2
PACK = 100
"""Manifests that make a pack."""

Shown = Callable[[Sequence[list[str]]], Iterable[list[str]]]


@dataclass(frozen=True)
class StoredRun:
    """One stored run, as a line of the listing.

    noise, sparsity: fractions.
    level: how many runs lie before it.
    seconds: of work.
    size: bytes of its files.
    finished: when, ISO 8601.
    parent: the run it starts from, "" for none.
    changed: a text that is another one once its files are others.
    """

    id: str
    status: Literal["done", "failed", "damaged", "given"]
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
    changed: str


KINDS = [field.type if isinstance(field.type, type) else str for field in fields(StoredRun)]


def listing(store: Store, shown: Shown = iter) -> list[StoredRun]:
    """All stored runs, the last finished first; reads only the manifests of runs that are in no pack.

    shown: passes the ids of these on, a hundred at a time, and may show how far they are.
    """
    sizes, changes = _folders(store)
    rows = {row.id: row for row in _packed(store) if changes.get(row.id) == row.changed}
    new = sorted(sizes.keys() - rows.keys())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for some in shown([new[k : k + PACK] for k in range(0, len(new), PACK)]):
            read = list(pool.map(lambda run: _row(store, run, sizes[run], changes[run]), some))
            rows |= {row.id: row for row in read}
            if len(read) == PACK:
                # What is damaged is read again: it may have been out of reach for a moment, or for us only.
                _pack(store, [row for row in read if row.status != "damaged"])
    levels = _levels({run: row.parent for run, row in rows.items()})
    ordered = sorted(rows.values(), key=lambda row: (row.finished, row.id), reverse=True)
    return [replace(row, level=levels[row.id]) for row in ordered]


def _pack(store: Store, rows: Iterable[StoredRun]) -> None:
    """Leaves the rows for whoever lists the store next, where it can be written to."""
    content = sealed.record_bytes({"version": VERSION, "rows": [astuple(row) for row in rows]})
    with contextlib.suppress(StoreError):
        store.storage.create(f"listings/{text_digest(content.decode())}.json", content, durable=False)


def _packed(store: Store) -> Iterator[StoredRun]:
    """The rows that were left; what is damaged, out of reach or of another version is left out."""
    with contextlib.suppress(StoreError), ThreadPoolExecutor(AT_ONCE) as pool:
        for rows in pool.map(partial(_rows, store), [entry.key for entry in store.storage.entries("listings")]):
            yield from rows


def _rows(store: Store, key: str) -> list[StoredRun]:
    with contextlib.suppress(StoreError, KeyError, TypeError):
        pack = sealed.parse_record(store.storage.get(key) or b"", store.where(key))
        rows = pack["rows"] if pack["version"] == VERSION else []
        return [StoredRun(*row) for row in rows if _can_be(row)]
    return []


def _can_be(row: list[Any]) -> bool:
    """Whether a row has the types of a run that is not damaged, and texts and numbers that can be shown."""
    if [type(value) for value in row] != KINDS or row[1] not in ("done", "failed", "given"):
        return False
    return all(value.isprintable() if isinstance(value, str) else abs(value) < 2**63 for value in row)


def _folders(store: Store) -> tuple[dict[str, int], dict[str, str]]:
    """Of every run that has files: their bytes, and a text that is another one once they are others."""
    sizes: dict[str, int] = {}
    latest: dict[str, str] = {}
    for entry in store.storage.entries("runs"):
        if entry.key.count("/") == 3:
            run = entry.key.split("/", 3)[2]
            sizes[run] = sizes.get(run, 0) + entry.size
            latest[run] = max(latest.get(run, ""), entry.changed)
    return sizes, {run: f"{size} {latest[run]}" for run, size in sizes.items()}


def _row(store: Store, run: str, size: int, changed: str) -> StoredRun:
    try:
        content = store.storage.get(store.manifest_key(run))
        if content is not None:
            facts = _facts(sealed.parse_manifest(content, run, run))
            return StoredRun(run, level=0, size=size, changed=changed, **facts)
    except Exception:  # a manifest that says anything else than one does; `prunescope runs verify` may say how
        pass
    return StoredRun(run, "damaged", "?", "?", 0.0, 0, 0, 0.0, 0, 0.0, size, "", "", changed)


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the listing shows of a manifest; a failed run has no length and no sparsity."""
    recipe, execution = manifest["recipe"], manifest.get("exec", {})
    network, data = recipe["task"]["network"], recipe["task"]["data"]
    scale = network["args"].get("scale", 1.0)
    return {
        "status": "given" if recipe.get("kind") == "Given" else str(manifest["status"]),
        "network": network["path"].rpartition(":")[2] + (f" x{scale:.3g}" if scale != 1 else ""),
        "data": str(data["source"].get("name", data["source"]["kind"].lower())),
        "noise": float(data["label_noise"]),
        "seed": int(recipe["seeds"]["order"]),
        "sparsity": float(manifest.get("sparsity", 0.0)),
        "steps": int(manifest.get("steps", 0)),
        "seconds": float(execution.get("seconds", 0.0)),
        "finished": str(execution.get("finished", "")),
        "parent": str(recipe.get("start", {}).get("run", "")),
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
