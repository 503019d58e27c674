"""A listing of all stored runs that answers at once.

An SQLite file in the user's cache folder, one for every store and machine, so that no two machines ever share one. It
repeats what the manifests say and nothing else: it may be deleted at any time. Who reads a thousand manifests or more
leaves a pack of what they say in the store, so that the next machine has one object to read and not a thousand.
"""

import contextlib
import os
import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from prunescope.base.digest import text_digest
from prunescope.base.errors import StoreError
from prunescope.runs.store import sealed
from prunescope.runs.store.storage import AT_ONCE
from prunescope.runs.store.store import Store

VERSION = 2
PACK = 1000
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


COLUMNS = tuple(field.name for field in fields(StoredRun))
KINDS = [field.type if isinstance(field.type, type) else str for field in fields(StoredRun)]


def cache_file(store: Store) -> Path:
    """The listing of a store on this machine, in $PRUNESCOPE_CACHE or the user's cache folder."""
    import pooch

    folder = os.environ.get("PRUNESCOPE_CACHE") or pooch.os_cache("prunescope")
    return Path(folder).expanduser() / "listings" / f"{text_digest(f'{platform.node()} {store.url}')}.sqlite"


def listing(store: Store, shown: Shown = iter) -> list[StoredRun]:
    """All stored runs, the last finished first; reads only the manifests of runs that are new.

    shown: passes the ids of these on, a thousand at a time, and may show how far they are.
    """
    path = cache_file(store)
    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _listing(store, str(path), shown)
        except (sqlite3.OperationalError, OSError):
            break  # the file cannot be written: list without it
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return _listing(store, ":memory:", shown)


def _listing(store: Store, path: str, shown: Shown) -> list[StoredRun]:
    with contextlib.closing(sqlite3.connect(path, timeout=10.0)) as database:
        with database:
            _prepare(database)
            _synchronize(database, store, shown)
        others = ", ".join(name for name in COLUMNS if name not in ("id", "level"))
        rows = list(database.execute(f"SELECT id, parent, {others} FROM runs ORDER BY finished DESC, id DESC"))
    levels = _levels({run: parent for run, parent, *_ in rows})
    before = COLUMNS.index("level") - 1
    lines = ([run, *facts[:before], levels[run], *facts[before:]] for run, _, *facts in rows)
    return [StoredRun(*line) for line in lines]


def _prepare(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        database.execute("DROP TABLE IF EXISTS runs")
        database.execute(f"PRAGMA user_version={VERSION}")
    others = ", ".join(COLUMNS[1:])
    database.execute(f"CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, {others})")


def _synchronize(database: sqlite3.Connection, store: Store, shown: Shown) -> None:
    """Adds what is new or has other files than before, and forgets what is gone."""
    sizes, changes = _folders(store)
    # What is damaged is read again: it may have been out of reach for a moment, or for us only.
    known = dict(database.execute("SELECT id, CASE status WHEN 'damaged' THEN '' ELSE changed END FROM runs"))
    database.executemany("DELETE FROM runs WHERE id = ?", [(run,) for run in known.keys() - sizes.keys()])
    new = {run for run in sizes if known.get(run) != changes[run]}
    marks = ", ".join("?" * len(COLUMNS))
    insert = f"INSERT OR REPLACE INTO runs VALUES ({marks})"
    if len(new) >= PACK:
        packed = {row.id: row for row in _packed(store) if row.id in new and row.changed == changes[row.id]}
        database.executemany(insert, map(astuple, packed.values()))
        new -= packed.keys()
    runs = sorted(new)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for some in shown([runs[k : k + PACK] for k in range(0, len(runs), PACK)]):
            read = list(pool.map(lambda run: _row(store, run, sizes[run], changes[run]), some))
            database.executemany(insert, map(astuple, read))
            if len(read) == PACK:
                _pack(store, [row for row in read if row.status != "damaged"])


def _pack(store: Store, rows: Iterable[StoredRun]) -> None:
    """Leaves the rows for other machines, where the store can be written to."""
    content = sealed.record_bytes({"version": VERSION, "rows": [astuple(row) for row in rows]})
    with contextlib.suppress(StoreError):
        store.storage.create(f"listings/{text_digest(content.decode())}.json", content, durable=False)


def _packed(store: Store) -> Iterator[StoredRun]:
    """The rows that other machines left; what is damaged, out of reach or of another version is left out."""
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
    """Whether a row has the types of a run that is not damaged, and only what SQLite can hold."""
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
