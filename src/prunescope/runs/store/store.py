"""The store: objects under keys, content-addressed, append-only; on a disk plain folders.

Belongs here: what lies where, and the order in which it is written, so that a kill at any point leaves no half of it.
Does not belong here: how bytes are kept (`storage.py`), how results are made, who makes them.

    SCHEMA                                  version of this layout
    runs/<2 digits>/<id>/manifest.json      what the run was, how it ended, how it was executed; written last
                         state-<id>.safetensors   one per kept moment
                         trace-<id>.parquet       one per probe
    readings/<2 digits>/<id>.safetensors    values of one measure of one state
    partial/<id>.safetensors                the latest checkpoint of an unfinished run (`execution/checkpointer.py`)
    leases/<2 digits>/<id>/<number>         who works on it (`lease.py`)
    workers/<id>                            signs of life of a process that holds leases
    networks/<id>.json                      what a network computed when the store first met it (`machine/loader.py`)
    prices/<what>-<id>.json                 what was measured on a machine (`machine/`)
    logs/<id>.txt                           the traceback of work that met an error
    pins/<name>.json                        ids that `gc` must keep
    registered/<name>.json                  what a study claimed before its first run (`studies/registration.py`)
    damaged/                                what did not hold what was written, set aside when it was read

Runs, readings and leases are created, never replaced: who comes late changes nothing. A run is stored once its manifest
is there, which names its files by digest.
"""

import contextlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from prunescope.base.errors import StoreError, UsageError
from prunescope.base.state import Weights
from prunescope.runs.store import codec, sealed
from prunescope.runs.store.pulse import Pulse
from prunescope.runs.store.storage import Storage, storage_at
from prunescope.training.progress import Row

SCHEMA = 1
T = TypeVar("T")
Values = dict[str, np.ndarray[Any, Any]]


def file_name(name: str) -> str:
    """A name with what no file may be called by replaced, "jin2022/fig1" as "jin2022_fig1"; never a hidden one."""
    text = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return f"_{text.removeprefix('.')}" if text[:1] in ("", ".") else text


class Store:
    """All results, in one storage. Several processes and machines may use it at once."""

    def __init__(self, at: Path | str | Storage) -> None:
        """Opens or makes a store: in a folder, or at a URL.

        Raises StoreError if it belongs to another schema version or cannot be written.
        """
        if not isinstance(at, str | Path) and not hasattr(at, "url"):
            raise UsageError(f"{at!r} is no address of a store; give a folder, or s3://bucket/folder")
        self.storage = storage_at(at) if isinstance(at, str | Path) else at
        self.url = self.storage.url
        self.pulse = Pulse(self.storage)
        self.set_aside: list[str] = []  # what was found damaged, for people
        schema = self.storage.get("SCHEMA")
        version = schema.decode(errors="replace").strip() if schema is not None else ""
        if version and version != str(SCHEMA):
            raise StoreError(
                f"{self.url} is a store of schema {version!r}, this version reads {SCHEMA}; "
                "use another folder (--store) or the version of prunescope that made it"
            )
        if version:
            return
        if any(entry.key != "SCHEMA" for entry in self.storage.entries("")) and not self.storage.get("SCHEMA"):
            raise StoreError(
                f"{self.url} holds other files and no store; choose an empty or new folder (--store). If it is a store "
                f"that has lost its file SCHEMA, write {SCHEMA} into one"
            )
        self.storage.put("SCHEMA", f"{SCHEMA}\n".encode())

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        """In another process: the store at the same address."""
        return Store, (self.url,)

    @property
    def root(self) -> Path:
        """The folder of a store on a disk."""
        return Path(self.url)

    # -- keys

    def run_folder(self, run: str) -> str:
        """Below which the objects of a run lie."""
        return f"runs/{run[:2]}/{run}"

    def reading_key(self, reading: str) -> str:
        """Where a reading lies."""
        return f"readings/{reading[:2]}/{reading}.safetensors"

    def state_key(self, run: str, moment: str) -> str:
        """Where a kept state lies; moment: the moment's id."""
        return f"{self.run_folder(run)}/state-{moment}.safetensors"

    def trace_key(self, run: str, probe: str) -> str:
        """Where a trace lies; probe: the probe's id."""
        return f"{self.run_folder(run)}/trace-{probe}.parquet"

    def manifest_key(self, run: str) -> str:
        """Where a manifest lies."""
        return f"{self.run_folder(run)}/manifest.json"

    def partial_key(self, run: str) -> str:
        """Where an unfinished run's latest checkpoint lies."""
        return f"partial/{run}.safetensors"

    def where(self, key: str) -> str:
        """An object for people."""
        return f"{self.url}/{key}"

    # -- reading; the digest of everything is compared, and what is damaged is set aside and named

    def manifest(self, run: str) -> dict[str, Any] | None:
        """What a stored run was; None if it is not stored. Raises Damaged."""
        return self._read(self.manifest_key(run), lambda content, name: sealed.parse_manifest(content, name, run))

    def weights(self, run: str, moment: str) -> Weights:
        """A kept state; `params[name]` is there for frozen parameters, too.

        Raises StoreError when it is not there, Damaged when it is not what was stored.
        """
        nested, facts = self._part(run, self.state_key(run, moment), codec.from_bytes)
        return codec.weights_from_nested(nested, facts).with_frozen()

    def trace(self, run: str, probe: str) -> Values:
        """The columns of a trace. Raises StoreError when it is not there, Damaged when it is not what was stored."""
        return self._part(run, self.trace_key(run, probe), sealed.parse_trace)

    def reading(self, reading: str) -> Values:
        """The values of a reading. Raises StoreError when it is not there, Damaged when it is not what was stored."""
        key = self.reading_key(reading)
        found = self._read(key, lambda content, name: codec.from_bytes(content, name, reading))
        if found is None:
            raise codec.absent(self.where(key))
        return {name: value.numpy() for name, value in found[0]["values"].items()}

    def _part(self, run: str, key: str, parse: Callable[[bytes, str, str], T]) -> T:
        """A state or trace of a run, if it is the one that the run's manifest names."""
        file = key.rpartition("/")[2]
        expected = ((self.manifest(run) or {}).get("files") or {}).get(file)

        def checked(content: bytes, name: str) -> T:
            value = parse(content, name, f"{run}/{file.partition('-')[2].partition('.')[0]}")
            if not sealed.is_named(content, expected):
                raise codec.damaged(name, "it is not the file that the run's manifest names")
            return value

        value = self._read(key, checked)
        if value is None:
            raise codec.absent(self.where(key))
        return value

    def _read(self, key: str, parse: Callable[[bytes, str], T]) -> T | None:
        """What an object holds; None if there is none. What turns out to be damaged is moved out of the way."""
        content = self.storage.get(key)
        if content is None:
            return None
        try:
            return parse(content, self.where(key))
        except codec.Damaged as problem:
            aside = f"damaged/{key.rpartition('/')[2]}-{uuid.uuid4().hex[:8]}"
            try:
                self.storage.put(aside, content)
                self.storage.delete(key)
            except StoreError:
                raise problem from None  # a store that cannot be written: its message says what to delete
            what = str(problem).partition(";")[0]
            self.set_aside.append(f"{what}; it was moved to {self.where(aside)}")
            raise codec.Damaged(f"{self.set_aside[-1]}, and the same command makes it again") from problem

    # -- runs

    def add_run(
        self, run: str, manifest: dict[str, Any], states: dict[str, Weights], traces: dict[str, list[Row]]
    ) -> None:
        """Stores a run; it is stored once its manifest is, which comes last. A run that is there is left as it is."""
        if not self.storage.exists(self.manifest_key(run)):
            files = dict(self._parts(run, states, traces))
            for key, content in files.items():
                # Of somebody who died before the manifest, perhaps on a processor that rounds otherwise.
                if not self.storage.create(key, content) and self.storage.get(key) != content:
                    self.storage.put(key, content)
            seals = {key.rpartition("/")[2]: sealed.seal_of(content) for key, content in files.items()}
            content = sealed.manifest_bytes(manifest | ({"files": seals} if seals else {}))
            self.storage.create(self.manifest_key(run), content)
        self.storage.delete(self.partial_key(run))

    def add_parts(self, run: str, states: dict[str, Weights], traces: dict[str, list[Row]]) -> None:
        """Adds the states and traces that a stored run lacks, one after another; leaves those it has."""
        manifest = self.manifest(run) or {}
        named = manifest.get("files", {})
        for key, content in self._parts(run, states, traces):
            file, seal = key.rpartition("/")[2], sealed.seal_of(content)
            if self.storage.create(key, content) and named.get(file, seal) != seal:
                # It was lost, and this processor rounds otherwise than the one of then: the manifest says so.
                manifest = manifest | {"files": named | {file: seal}, "replaced": True}
                named = manifest["files"]
                self.storage.put(self.manifest_key(run), sealed.manifest_bytes(manifest))
        self.storage.delete(self.partial_key(run))

    def _parts(self, run: str, states: dict[str, Weights], traces: dict[str, list[Row]]) -> Iterator[tuple[str, bytes]]:
        """The states and traces of a run as objects: key, content."""
        for moment, weights in states.items():
            content = codec.to_bytes(*codec.weights_to_nested(weights), f"{run}/{moment}")
            yield self.state_key(run, moment), content
        for probe, rows in traces.items():
            yield self.trace_key(run, probe), sealed.trace_bytes(rows, f"{run}/{probe}")

    def known_runs(self, runs: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Of these runs, those that are stored: status, why (of a failure), ids of kept states and traces."""
        known: dict[str, dict[str, Any]] = {}
        for folder, names in self.storage.names([self.run_folder(run) for run in runs]).items():
            if "manifest.json" not in names:
                continue
            run = folder.rpartition("/")[2]
            states, traces = (
                {part[1] for name in names if (part := re.fullmatch(pattern, name))}
                for pattern in (r"state-(\w+)\.safetensors", r"trace-(\w+)\.parquet")
            )
            # Only a failed run has no state, or a damaged one of which the user deleted it.
            manifest: dict[str, Any] = {"status": "done"} if states else self.manifest(run) or {}
            facts = {"status": manifest.get("status", "failed"), "why": manifest.get("why", "")}
            known[run] = {**facts, "states": states, "traces": traces}
        return known

    # -- readings

    def has_reading(self, reading: str) -> bool:
        """Whether a reading is stored."""
        return self.storage.exists(self.reading_key(reading))

    def known_readings(self, readings: Iterable[str]) -> set[str]:
        """Those of these readings that are stored."""
        wanted = {self.reading_key(reading): reading for reading in readings}
        shelves = self.storage.names({key.rpartition("/")[0] for key in wanted})
        there = (f"{shelf}/{name}" for shelf, names in shelves.items() for name in names)
        return {wanted[key] for key in there if key in wanted}

    def add_reading(self, reading: str, values: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Stores the values of a reading; one that is there is left as it is."""
        self.storage.create(self.reading_key(reading), codec.to_bytes({"values": values}, facts, reading))

    # -- pins

    def pin(self, name: str, ids: Iterable[str]) -> None:
        """Names ids that `gc` must keep; a name replaces what it pinned before."""
        self.write_json(f"pins/{file_name(name)}.json", {"ids": sorted(set(ids))})

    def pins(self) -> dict[str, list[str]]:
        """Pinned ids by name, those behind links as well."""
        names = self.storage.names(["pins"]).get("pins", set())
        keys = sorted(f"pins/{name}" for name in names if name.endswith(".json"))
        return {key[5:-5]: self._pinned(key) for key in keys}

    def _pinned(self, key: str) -> list[str]:
        ids: Any = self.read_json(key)
        if isinstance(ids, dict):  # before 2027 the list alone
            ids = ids.get("ids")
        if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
            raise StoreError(f"{self.where(key)} is damaged; delete it and run its study again, which pins it anew")
        return ids

    # -- logs

    def log(self, node: str, text: str) -> str:
        """Keeps the traceback of work that met an error, the latest of each node; returns where."""
        with contextlib.suppress(StoreError):  # the error itself matters more than its log
            self.storage.put(f"logs/{node}.txt", text.encode())
        return self.where(f"logs/{node}.txt")

    # -- listing

    def run_ids(self) -> Iterator[str]:
        """The ids of all stored runs, failed ones included."""
        found = (entry.key.split("/") for entry in self.storage.entries("runs"))
        yield from sorted(parts[2] for parts in found if len(parts) == 4 and parts[3] == "manifest.json")

    # -- small files that may be replaced

    def read_json(self, key: str) -> Any:
        """The content of a small JSON file that can be made again; None if it is not there or damaged."""
        with contextlib.suppress(codec.Damaged):
            return self.record(key)

    def record(self, key: str) -> Any:
        """The content of a small JSON file; None if it is not there. Raises Damaged, and leaves it where it is."""
        content = self.storage.get(key)
        return None if content is None else sealed.parse_record(content, self.where(key))

    def write_json(self, key: str, content: Mapping[str, Any]) -> None:
        """Replaces a small JSON file that holds something else, so that what is all there can be only read."""
        if self.storage.get(key) != (record := sealed.record_bytes(content)):
            self.storage.put(key, record)
