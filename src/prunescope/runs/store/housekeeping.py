"""Looking after a store: finding a run, checking every file, keeping what is pinned, removing the rest.

Belongs here: what `prunescope runs` does. Does not belong here: the table of runs (`index.py`), making results.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunescope.base.errors import StoreError, UsageError
from prunescope.base.value import Value
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Measured, closure
from prunescope.runs.store import codec, sealed
from prunescope.runs.store.lease import alive
from prunescope.runs.store.store import Store

MANY = 8
"""How many candidates a message about an ambiguous id lists."""


def find(store: Store, prefix: str) -> str:
    """The id of the stored run that begins with `prefix`. Raises UsageError if it is unknown or ambiguous."""
    runs = [run for run in store.run_ids() if run.startswith(prefix.lower())]
    if not runs:
        raise UsageError(f"no stored run begins with {prefix!r}; `prunescope runs ls` lists them")
    if len(runs) > 1:
        more = f" and {len(runs) - MANY} more" if len(runs) > MANY else ""
        names = ", ".join(run[:12] for run in runs[:MANY])
        raise UsageError(f"{len(runs)} runs begin with {prefix!r}: {names}{more}; give more digits")
    return runs[0]


def lineage(store: Store, run: str) -> list[dict[str, Any]]:
    """The manifests of a run and of all runs it comes from, itself first, each once."""
    manifests: dict[str, dict[str, Any]] = {}
    pending = [run]
    while pending:
        current = pending.pop(0)
        manifest = store.manifest(current)
        if current not in manifests and manifest is not None:
            manifests[current] = manifest
            pending.extend(manifest["parents"])
    return list(manifests.values())


# -- pins


def pin(store: Store, name: str, nodes: Iterable[Value]) -> None:
    """Makes `gc` keep the nodes and everything they need; a name replaces what it pinned before."""
    needed = closure(nodes).values()
    store.pin(name, [node.id for node in needed if isinstance(node, Run | Measured)])


def check_pin(store: Store, name: str) -> None:
    """Raises UsageError if nothing is pinned under that name."""
    if name not in (pins := store.pins()):
        raise UsageError(f"nothing is pinned as {name!r}; there is {', '.join(pins) or 'no pin'}")


# -- integrity


@dataclass(frozen=True)
class Checked:
    """A file of the store; problem: what is wrong with it and what to do, empty for a file that is whole."""

    path: Path
    problem: str = ""


def files(store: Store) -> list[Path]:
    """Every file of the store that holds a result, and the manifests that runs lack."""
    found = {path for name in ("runs", "readings") for path in _within(store, name, "??/**/*") if path.is_file()}
    return sorted(found | {path.parent / "manifest.json" for path in found if path.parent.parent.parent.name == "runs"})


def verify(paths: Iterable[Path]) -> Iterator[Checked]:
    """Reads every file and compares it with the digest of its content, and with whose it should be."""
    for path in paths:
        try:
            _read(path)
        except Exception as problem:  # a damaged file can fail in any way, and the others are still to be read
            damage = str(problem).split(";")[0].removeprefix(f"{path} ")
            unit = path.parent if path.parent.name != path.name[:2] else path
            yield Checked(path, f"{damage}; delete {unit}, and the same command makes it again")
        else:
            yield Checked(path)


def _read(path: Path) -> None:
    owner = f"{path.parent.name}/{path.stem.partition('-')[2]}" if "-" in path.stem else path.stem
    if path.suffix == ".safetensors":
        codec.from_file(str(path), owner)
    elif path.suffix == ".parquet":
        sealed.read_trace(path, owner)
    elif path.name == "manifest.json" and sealed.read_manifest(path, path.parent.name) is None:
        raise StoreError("is missing")


# -- garbage


@dataclass(frozen=True)
class Garbage:
    """What no pin needs.

    runs, readings: their paths.
    leftovers: paths that killed or finished work left behind.
    size: bytes of all of these.
    """

    runs: tuple[Path, ...]
    readings: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    size: int

    @property
    def paths(self) -> tuple[Path, ...]:
        """Everything that would go."""
        return (*self.runs, *self.readings, *self.leftovers)


def busy(store: Store) -> bool:
    """Whether some live process works on the store."""
    return any(alive(path) for path in _within(store, "leases", "[!.]*"))


def garbage(store: Store, pins: Mapping[str, Iterable[str]]) -> Garbage:
    """Runs and readings that no pin names, neither directly nor as an ancestor, and files of killed work.

    pins: the pinned ids by name, as `store.pins()` has them.
    """
    kept = _needed(store, {node for ids in pins.values() for node in ids})
    stored = set(store.run_ids())
    runs = tuple(store.run_folder(run) for run in sorted(stored - kept))
    readings = tuple(path for path in _within(store, "readings", "??/*.safetensors") if path.stem not in kept)
    partial = _within(store, "partial", "*.safetensors")
    leftovers = [path for path in partial if path.stem in stored or path.stem not in kept]
    leftovers += [path for path in _within(store, "leases", "[!.]*") if not alive(path)]
    leftovers += [path for name in ("tmp", "logs", "damaged") for path in _within(store, name, "*")]
    leftovers += [path for name in ("runs", "readings", "partial") for path in _within(store, name, "**/.*")]
    size = sum(_size(path) for path in (*runs, *readings, *leftovers))
    return Garbage(runs, readings, tuple(sorted(leftovers)), size)


def remove(store: Store, garbage: Garbage, *, unpin: Collection[str] = ()) -> None:
    """Removes garbage; a run goes at once, never half of it. unpin: names of pins to forget.

    Raises StoreError while a live process works on the store: its results are pinned only by what it is doing.
    """
    if busy(store):
        raise StoreError(f"a process is working on {store.root}; wait until it is done, then remove")
    # What was pinned since garbage was looked for stays.
    kept = _needed(store, {node for name, ids in store.pins().items() if name not in set(unpin) for node in ids})
    for name in unpin:
        (store.root / "pins" / f"{name}.json").unlink(missing_ok=True)
    for path in garbage.paths:
        if path.stem in kept and path.parent.parent.name in ("runs", "readings"):
            continue
        if path.is_dir():
            removed = path.with_name(f".removed-{uuid.uuid4().hex}")
            path.rename(removed)
            shutil.rmtree(removed)
        else:
            path.unlink(missing_ok=True)


def _needed(store: Store, pinned: set[str]) -> set[str]:
    """The pinned ids, the runs that pinned readings are of, and the ancestors of all of these."""
    needed: set[str] = set()
    pending = sorted(pinned)
    while pending:
        current = pending.pop()
        if current in needed:
            continue
        needed.add(current)
        if store.has_reading(current):
            with contextlib.suppress(StoreError):
                facts = codec.from_file(str(store.reading_path(current)), current)[1]
                pending += [facts["run"], *facts.get("others", [])]
        elif (manifest := store.manifest(current)) is not None:
            pending.extend(manifest["parents"])
    return needed


def _within(store: Store, folder: str, pattern: str) -> list[Path]:
    """Paths of a folder of the store; links, and whatever lies behind one, are not the store's to touch."""
    paths = (store.root / folder).glob(pattern)
    return sorted(path for path in paths if path.resolve() == path)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(Path(entry.path)) for entry in os.scandir(path) if not entry.is_symlink())
    return path.stat().st_size
