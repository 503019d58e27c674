"""A listing of all stored runs that answers at once.

The SQLite file repeats what the manifests say and nothing else: it may be deleted at any time.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from prunescope.base.errors import StoreError
from prunescope.runs.store import sealed
from prunescope.runs.store.store import Store

VERSION = 1


@dataclass(frozen=True)
class StoredRun:
    """One stored run, as a line of the listing.

    noise, sparsity: fractions.
    level: how many runs lie before it.
    seconds: of work.
    size: bytes of its folder.
    finished: when, ISO 8601.
    parent: the run it starts from, "" for none.
    changed: when its folder last changed, ns.
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
    changed: int


COLUMNS = tuple(field.name for field in fields(StoredRun))


def listing(store: Store) -> list[StoredRun]:
    """All stored runs, the last finished first; reads only the manifests of runs that are new."""
    path = store.root / "index.sqlite"
    for _ in range(2):
        try:
            return _listing(store, str(path))
        except sqlite3.OperationalError:
            break  # the file cannot be written: list without it
        except sqlite3.DatabaseError:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
    return _listing(store, ":memory:")


def _listing(store: Store, path: str) -> list[StoredRun]:
    with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as database:
        with database:
            _prepare(database)
            _synchronize(database, store)
        rows = [StoredRun(*row) for row in database.execute(f"SELECT {', '.join(COLUMNS)} FROM runs")]
    levels = _levels({row.id: row.parent for row in rows})
    rows = [replace(row, level=levels[row.id]) for row in rows]
    return sorted(rows, key=lambda row: (row.finished, row.id), reverse=True)


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        database.execute("DROP TABLE IF EXISTS runs")
        database.execute(f"PRAGMA user_version={VERSION}")
    others = ", ".join(COLUMNS[1:])
    database.execute(f"CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, {others})")


def _synchronize(database: sqlite3.Connection, store: Store) -> None:
    """Adds what is new or has other files than before, and forgets what is gone."""
    folders = dict(_folders(store.root / "runs"))
    known = dict(database.execute("SELECT id, changed FROM runs"))
    database.executemany("DELETE FROM runs WHERE id = ?", [(run,) for run in known.keys() - folders.keys()])
    new = [_row(store, run, changed) for run, changed in folders.items() if known.get(run) != changed]
    marks = ", ".join("?" * len(COLUMNS))
    database.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", [astuple(row) for row in new])


def _folders(root: Path) -> Iterator[tuple[str, int]]:
    """Every run's folder, with the time of its last change in ns."""
    with contextlib.suppress(FileNotFoundError):
        for shelf in (entry for entry in os.scandir(root) if entry.is_dir()):
            for folder in (entry for entry in os.scandir(shelf.path) if entry.is_dir() and entry.name[0] != "."):
                yield folder.name, folder.stat().st_mtime_ns


def _row(store: Store, run: str, changed: int) -> StoredRun:
    size = sum(file.stat().st_size for file in store.run_folder(run).iterdir())
    try:
        manifest = sealed.read_manifest(store.run_folder(run) / "manifest.json", run)
        if manifest is not None:
            return StoredRun(id=run, level=0, size=size, changed=changed, **_facts(manifest))
    except (StoreError, KeyError, TypeError):
        pass  # listed as damaged; `prunescope runs verify` says how
    return StoredRun(run, "damaged", "?", "?", 0.0, 0, 0, 0.0, 0, 0.0, size, "", "", changed)


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the listing shows of a manifest; a failed run has no length and no sparsity."""
    recipe, execution = manifest["recipe"], manifest.get("exec", {})
    network, data = recipe["task"]["network"], recipe["task"]["data"]
    scale = network["args"].get("scale", 1.0)
    return {
        "status": "given" if recipe.get("kind") == "Given" else manifest["status"],
        "network": network["path"].rpartition(":")[2] + (f" x{scale:.3g}" if scale != 1 else ""),
        "data": data["source"].get("name", data["source"]["kind"].lower()),
        "noise": data["label_noise"],
        "seed": recipe["seeds"]["order"],
        "sparsity": manifest.get("sparsity", 0.0),
        "steps": manifest.get("steps", 0),
        "seconds": execution.get("seconds", 0.0),
        "finished": execution.get("finished", ""),
        "parent": recipe.get("start", {}).get("run", ""),
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
