"""Looking after a store: finding a run, checking every file, keeping what is pinned, removing the rest.

Belongs here: what `prunescope runs` does. Does not belong here: the table of runs (`index.py`), making results.
"""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prunescope.base.errors import StoreError, UsageError
from prunescope.base.value import Value
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import Measured, closure
from prunescope.runs.store import codec, sealed
from prunescope.runs.store.lease import dead, held
from prunescope.runs.store.local import LocalStorage
from prunescope.runs.store.store import Store, file_name

MANY = 8
"""How many candidates a message about an ambiguous id lists."""
_OF_WORK = ("tmp", "logs", "damaged", "leases", "workers", "listings")
"""What only matters while work goes on, or to people: `gc` removes it where nobody works."""
_SEALED = ("runs", "readings", "partial", "pins", "registered", "networks", "prices", "listings")
_OWNED = (
    re.compile(r"(?P<room>runs)/../(?P<node>[0-9a-f]{32})/(manifest\.json|(state|trace)-[^/]*)"),
    re.compile(r"(?P<room>readings|partial)/(../)?(?P<node>[0-9a-f]{32})\.safetensors"),
    re.compile(rf"(?P<room>{'|'.join(_OF_WORK)})/(?P<node>.*)", re.DOTALL),
)


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


def pin(store: Store, name: str, nodes: Iterable[Value], *, more: bool = False) -> None:
    """Makes `gc` keep the nodes and everything they need; a name replaces what it pinned before, or pins more."""
    needed = [node.id for node in closure(nodes).values() if isinstance(node, Run | Measured)]
    store.pin(name, [*needed, *(store.pins().get(file_name(name), ()) if more else ())])


def check_pin(store: Store, name: str) -> None:
    """Raises UsageError if nothing is pinned under that name."""
    if name not in (pins := store.pins()):
        raise UsageError(f"nothing is pinned as {name!r}; there is {', '.join(pins) or 'no pin'}")


# -- integrity


@dataclass(frozen=True)
class Checked:
    """An object of the store; problem: what is wrong with it and what to do, empty for one that is whole."""

    key: str
    problem: str = ""


def refuse_links(store: Store, *, within: bool = False) -> None:
    """Raises StoreError for a part of the store behind a link: nothing there would be listed, or checked.

    within: looks at all that lies in the rooms of the store, too.
    """
    if not isinstance(store.storage, LocalStorage):
        return
    linked = [room for name in _SEALED if (room := store.root / name).is_symlink()]
    if linked := linked or [link for name in _SEALED if within for link in store.storage.links(name)]:
        raise StoreError(f"{linked[0]} is a link, and links are not followed; mount or put there what it leads to")


def files(store: Store) -> list[str]:
    """The keys of everything that has a digest, and of the manifests that runs lack. Raises as `refuse_links`."""
    refuse_links(store, within=True)
    found = {entry.key for name in _SEALED for entry in store.storage.entries(name)}
    lacking = {store.manifest_key(key.split("/")[2]) for key in found if key.startswith("runs/") and key.count("/") > 2}
    return sorted(found | lacking)


def verify(store: Store, keys: Iterable[str]) -> Iterator[Checked]:
    """Reads everything and compares it with the digest of its content, whose it should be, and its run's manifest."""
    for key in keys:
        try:
            _check(store, key)
        except Exception as problem:  # what is damaged can fail in any way, and the others are still to be read
            said = str(problem).removeprefix(f"{store.where(key)} ")
            unit = key.rpartition("/")[0] if key.startswith("runs/") else key
            if isinstance(problem, codec.Damaged) or not isinstance(problem, StoreError):  # else it may be whole
                said = f"{said.split(';')[0]}; delete {store.where(unit)}, and the same command makes it again"
            yield Checked(key, said)
        else:
            yield Checked(key)


def _check(store: Store, key: str) -> None:
    content, name, file = store.storage.get(key), store.where(key), key.rpartition("/")[2]
    if content is None:
        raise codec.Damaged("is missing: lost, or its run was killed while it was stored")
    run = key.rpartition("/")[0].rpartition("/")[2]
    part = file.partition("-")[2].partition(".")[0] if key.startswith("runs/") else ""
    owner = f"{run}/{part}" if part else file.partition(".")[0]
    if file.endswith(".safetensors"):
        codec.from_bytes(content, name, owner)
    elif file.endswith(".parquet"):
        sealed.parse_trace(content, name, owner)
    elif file == "manifest.json":
        sealed.parse_manifest(content, name, run)
    elif file.endswith(".json"):
        sealed.parse_record(content, name)
    if part:
        seals: dict[str, str] = {}
        with contextlib.suppress(codec.Damaged):  # the manifest is checked by itself
            seals = sealed.parse_manifest(store.storage.get(store.manifest_key(run)) or b"", "", run).get("files", {})
        if not sealed.is_named(content, seals.get(file)):
            raise codec.damaged(name, "it is not the file that the run's manifest names")


# -- garbage


@dataclass(frozen=True)
class Garbage:
    """What no pin needs.

    runs, readings: their ids.
    leftovers: keys of what killed or finished work left behind.
    keys: everything that would go, manifests first.
    size: bytes of all of these.
    """

    runs: tuple[str, ...]
    readings: tuple[str, ...]
    leftovers: tuple[str, ...]
    keys: tuple[str, ...]
    size: int


def garbage(store: Store, pins: Mapping[str, Iterable[str]]) -> Garbage:
    """Runs and readings that no pin names, neither directly nor as an ancestor, and files of killed work.

    pins: the pinned ids by name, as `store.pins()` has them.
    """
    kept = _needed(store, {node for ids in pins.values() for node in ids})
    sizes = {entry.key: entry.size for entry in store.storage.entries("")}
    stored = {_owner(key)[1] for key in sizes if key.endswith("/manifest.json")}
    results: dict[str, list[str]] = {"runs": [], "readings": []}
    leftovers: list[str] = []
    for key in sizes:
        room, node = _owner(key)
        if room in results and node not in kept:
            results[room].append(key)
        elif room in _OF_WORK or (room == "partial" and (node in stored or node not in kept)):
            leftovers.append(key)
    if isinstance(store.storage, LocalStorage):
        under_way = {str(path.relative_to(store.root)): path.stat().st_size for path in store.storage.under_way()}
        leftovers += under_way
        sizes |= under_way
    removed = sorted(results["runs"] + results["readings"], key=lambda key: (not key.endswith("manifest.json"), key))
    return Garbage(
        runs=tuple(sorted({_owner(key)[1] for key in results["runs"]})),
        readings=tuple(sorted(_owner(key)[1] for key in results["readings"])),
        leftovers=tuple(sorted(leftovers)),
        keys=(*removed, *leftovers),
        size=sum(sizes[key] for key in (*removed, *leftovers)),
    )


def _owner(key: str) -> tuple[str, str]:
    """The room of the store that an object lies in, and the run or reading that it belongs to.

    No room for what somebody else put there.
    """
    for pattern in _OWNED:
        if found := pattern.fullmatch(key):
            return found["room"], found["node"]
    return "", ""


def remove(store: Store, garbage: Garbage, *, unpin: Collection[str] = ()) -> None:
    """Removes garbage; of a run the manifest first, so that a kill leaves none that seems whole.

    unpin: names of pins to forget.

    Raises StoreError while a live process works on the store: its results are pinned only by what it is doing.
    """
    leases = held(store)
    if len(dead(store, leases)) < len(leases):
        raise StoreError(f"a process is working on {store.url}; wait until it is done, then remove")
    # What was pinned since garbage was looked for stays.
    kept = _needed(store, {node for name, ids in store.pins().items() if name not in set(unpin) for node in ids})
    for name in unpin:
        store.storage.delete(f"pins/{name}.json")
    for key in garbage.keys:
        room, node = _owner(key)
        if room not in ("runs", "readings") or node not in kept:
            store.storage.delete(key)


def _needed(store: Store, pinned: set[str]) -> set[str]:
    """The pinned ids, the runs that pinned readings are of, and the ancestors of all of these."""
    needed: set[str] = set()
    pending = sorted(pinned)
    while pending:
        current = pending.pop()
        if current in needed:
            continue
        needed.add(current)
        if (content := store.storage.get(store.reading_key(current))) is not None:
            with contextlib.suppress(StoreError):
                facts = codec.from_bytes(content, current, current)[1]
                pending += [facts["run"], *facts.get("others", [])]
        elif (manifest := store.manifest(current)) is not None:
            pending.extend(manifest["parents"])
    return needed
