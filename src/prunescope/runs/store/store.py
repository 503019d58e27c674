"""The store: plain folders, content-addressed, atomic, append-only.

Belongs here: what lies where, and writing it so that a kill at any point leaves no half of it. Does not belong
here: how results are made, who makes them.

    SCHEMA                                  version of this layout
    runs/<2 digits>/<id>/manifest.json      what the run was, how it ended, how it was executed
                         state-<id>.safetensors   one per kept moment
                         trace-<id>.parquet       one per probe
    readings/<2 digits>/<id>.safetensors    values of one measure of one state
    partial/<id>.safetensors                the latest checkpoint of an unfinished run (`execution/checkpointer.py`)
    leases/<id>                             who works on it (`lease.py`)
    networks/<id>.json                      what a network computed when the store first met it (`machine/loader.py`)
    prices/<what>-<id>.json                 what was measured on a machine (`machine/`)
    logs/<id>.txt                           the traceback of work that met an error
    pins/<name>.json                        ids that `gc` must keep
    registered/<name>.json                  what a study claimed before its first run (`studies/registration.py`)
    damaged/                                what did not hold what was written, set aside when it was read
    index.sqlite                            rebuildable listing (`index.py`)
"""

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prunescope.base.errors import StoreError
from prunescope.base.state import Weights
from prunescope.runs.store import codec, sealed
from prunescope.training.progress import Row

SCHEMA = 1
Values = dict[str, np.ndarray[Any, Any]]
_NOT_PERMITTED = "writing is not permitted; choose another folder (--store) or change its permissions"
_FIXES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; choose another folder (--store)",
    errno.EACCES: _NOT_PERMITTED,
    errno.EPERM: _NOT_PERMITTED,
}


def _is_list_of_ids(content: object) -> bool:
    return isinstance(content, list) and all(isinstance(item, str) for item in content)


class Store:
    """One folder of results. Several processes may use it at once."""

    def __init__(self, root: Path | str) -> None:
        """Opens or makes the folder.

        Raises StoreError if it belongs to another schema version or cannot be written.
        """
        self.root = Path(root).expanduser().resolve()
        self.touched: dict[str, tuple[int, float]] = {}  # by lease of another machine: its file's time, and when seen
        schema_file = self.root / "SCHEMA"
        try:
            # Listed before the file is read: another process may be making the store right now.
            names = {path.name for path in self.root.iterdir()} if self.root.exists() else set()
            schema = schema_file.read_text().strip() if schema_file.exists() else ""
        except OSError as problem:
            raise StoreError(
                f"{self.root} cannot be opened as a store ({problem}); choose another folder (--store)"
            ) from problem
        if schema and schema != str(SCHEMA):
            raise StoreError(
                f"{self.root} is a store of schema {schema!r}, this version reads {SCHEMA}; "
                "use another folder (--store) or the version of prunescope that made it"
            )
        if schema:
            return
        if any(not name.startswith(".SCHEMA.") for name in names - {"SCHEMA"}):
            raise StoreError(f"{self.root} holds other files and no store; choose an empty or new folder (--store)")
        self.write(schema_file, f"{SCHEMA}\n".encode())

    # -- paths

    def run_folder(self, run: str) -> Path:
        """The folder of a finished or failed run."""
        return self.root / "runs" / run[:2] / run

    def reading_path(self, reading: str) -> Path:
        """The file of a reading."""
        return self.root / "readings" / reading[:2] / f"{reading}.safetensors"

    def state_path(self, run: str, moment: str) -> Path:
        """The file of a kept state; moment: the moment's id."""
        return self.run_folder(run) / f"state-{moment}.safetensors"

    def trace_path(self, run: str, probe: str) -> Path:
        """The file of a trace; probe: the probe's id."""
        return self.run_folder(run) / f"trace-{probe}.parquet"

    def partial_path(self, run: str) -> Path:
        """The file of an unfinished run's latest checkpoint."""
        return self.root / "partial" / f"{run}.safetensors"

    # -- reading; the digest of every file is compared, and a damaged one is set aside and named

    def manifest(self, run: str) -> dict[str, Any] | None:
        """What a stored run was; None if it is not stored. Raises Damaged."""
        path = self.run_folder(run) / "manifest.json"
        with self._setting_aside(path):
            return sealed.read_manifest(path, run)

    def weights(self, run: str, moment: str) -> Weights:
        """A kept state; `params[name]` is there for frozen parameters, too.

        Raises StoreError when it is not there, Damaged when it is not what was stored.
        """
        path = self.state_path(run, moment)
        with self._setting_aside(path):
            nested, facts = codec.from_file(str(path), f"{run}/{moment}")
        return codec.weights_from_nested(nested, facts).with_frozen()

    def trace(self, run: str, probe: str) -> Values:
        """The columns of a trace. Raises StoreError when it is not there, Damaged when it is not what was stored."""
        path = self.trace_path(run, probe)
        with self._setting_aside(path):
            return sealed.read_trace(path, f"{run}/{probe}")

    def reading(self, reading: str) -> Values:
        """The values of a reading. Raises StoreError when it is not there, Damaged when it is not what was stored."""
        path = self.reading_path(reading)
        with self._setting_aside(path):
            nested, _ = codec.from_file(str(path), reading)
        return {name: value.numpy() for name, value in nested["values"].items()}

    @contextlib.contextmanager
    def _setting_aside(self, path: Path) -> Iterator[None]:
        """Moves a file that turns out to be damaged out of the way, so that it is made again."""
        try:
            yield
        except codec.Damaged as problem:
            aside = self.root / "damaged" / f"{path.name}-{uuid.uuid4().hex[:8]}"
            try:
                aside.parent.mkdir(exist_ok=True)
                path.rename(aside)
            except OSError:
                raise problem from None  # a store that cannot be written: its message says what to delete
            what = str(problem).partition(";")[0]
            raise codec.Damaged(f"{what}; it was moved to {aside}, and the same command makes it again") from problem

    # -- runs

    def add_run(
        self, run: str, manifest: dict[str, Any], states: dict[str, Weights], traces: dict[str, list[Row]]
    ) -> None:
        """Stores a run at once: all of it or nothing. A run that is already there is left as it is."""
        folder = self.run_folder(run)
        temporary = self.root / "tmp" / uuid.uuid4().hex
        with self.guard(folder):
            temporary.mkdir(parents=True)
            self._write_parts(temporary, run, states, traces)
            self.write(temporary / "manifest.json", sealed.manifest_bytes(manifest))
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists() and not (folder / "manifest.json").exists():
                folder.rename(temporary.with_name(f"{run}-without-manifest-{uuid.uuid4().hex[:8]}"))
            try:
                temporary.rename(folder)
            except OSError:
                if not (folder / "manifest.json").exists():
                    raise
                shutil.rmtree(temporary)
        self.partial_path(run).unlink(missing_ok=True)

    def add_parts(self, run: str, states: dict[str, Weights], traces: dict[str, list[Row]]) -> None:
        """Adds the states and traces that a stored run lacks, one file after another; leaves those it has."""
        with self.guard(self.run_folder(run)):
            self._write_parts(self.run_folder(run), run, states, traces)
        self.partial_path(run).unlink(missing_ok=True)

    def _write_parts(self, folder: Path, run: str, states: dict[str, Weights], traces: dict[str, list[Row]]) -> None:
        """Writes the states and traces of the run that the folder lacks."""
        for moment, weights in states.items():
            if not (path := folder / f"state-{moment}.safetensors").exists():
                self.write(path, codec.to_bytes(*codec.weights_to_nested(weights), f"{run}/{moment}"))
        for probe, rows in traces.items():
            if not (path := folder / f"trace-{probe}.parquet").exists():
                self.write(path, sealed.trace_bytes(rows, f"{run}/{probe}"))

    def known_runs(self, runs: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Of these runs, those that are stored: status, why (of a failure), ids of kept states and traces."""
        known: dict[str, dict[str, Any]] = {}
        for run in runs:
            try:
                names = os.listdir(f"{self.root}/runs/{run[:2]}/{run}")  # noqa: PTH208
            except FileNotFoundError:
                continue
            if "manifest.json" not in names:
                continue
            states = {name[6:-12] for name in names if name.startswith("state-")}
            traces = {name[6:-8] for name in names if name.startswith("trace-")}
            # Only a failed run has no state, or a damaged one of which the user deleted it.
            manifest: dict[str, Any] = {"status": "done"} if states else self.manifest(run) or {}
            facts = {"status": manifest.get("status", "failed"), "why": manifest.get("why", "")}
            known[run] = {**facts, "states": states, "traces": traces}
        return known

    # -- readings

    def has_reading(self, reading: str) -> bool:
        """Whether a reading is stored."""
        return os.path.exists(f"{self.root}/readings/{reading[:2]}/{reading}.safetensors")  # noqa: PTH110

    def add_reading(self, reading: str, values: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Stores the values of a reading."""
        self.write(self.reading_path(reading), codec.to_bytes({"values": values}, facts, reading))

    # -- pins

    def pin(self, name: str, ids: Iterable[str]) -> None:
        """Names ids that `gc` must keep; a name replaces what it pinned before."""
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        self.write_json(self.root / "pins" / f"{safe}.json", sorted(set(ids)))

    def pins(self) -> dict[str, list[str]]:
        """Pinned ids by name."""
        paths = sorted(path for path in (self.root / "pins").glob("*.json") if path.is_file())
        pinned = {path.stem: self.read_json(path) for path in paths}
        if broken := [path for path in paths if not _is_list_of_ids(pinned[path.stem])]:
            raise StoreError(f"{broken[0]} is damaged; delete it and run its study again, which pins it anew")
        return pinned

    # -- logs

    def log(self, node: str, text: str) -> Path:
        """Keeps the traceback of work that met an error, the latest of each node; returns where."""
        path = self.root / "logs" / f"{node}.txt"
        with contextlib.suppress(StoreError):  # the error itself matters more than its log
            self.write(path, text.encode())
        return path

    # -- listing

    def run_ids(self) -> Iterator[str]:
        """The ids of all stored runs, failed ones included."""
        for folder in sorted((self.root / "runs").glob("??/*")):
            if (folder / "manifest.json").exists():
                yield folder.name

    # -- writing

    def read_json(self, path: Path) -> Any:
        """The content of a small JSON file of the store; None if it is not there or damaged."""
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def write_json(self, path: Path, content: object) -> None:
        """Replaces a small JSON file of the store."""
        self.write(path, json.dumps(content, indent=1, sort_keys=True).encode())

    def write(self, path: Path, content: bytes) -> None:
        """Writes a file so that a reader, or a kill, sees all of it or nothing.

        Raises StoreError for a full disk or a folder that cannot be written.
        """
        with self.guard(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
            try:
                with temporary.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def guard(self, path: Path) -> Iterator[None]:
        """Turns what the operating system says of a failed write into a StoreError with the fix."""
        try:
            yield
        except OSError as problem:
            fix = _FIXES.get(problem.errno or 0, "see the message of the operating system")
            raise StoreError(
                f"cannot write {path}: {problem.strerror or problem}; {fix}. Nothing stored so far is lost; "
                "the same command then goes on"
            ) from problem
