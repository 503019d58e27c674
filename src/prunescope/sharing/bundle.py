"""A bundle: a study's results as a folder that others can read, judge and check.

Belongs here: what lies where, and reading it as data: nothing that a bundle names is imported or called. Does not
belong here: making one (`publish.py`), training from one (`verify.py`).

    bundle.json              format, study, settings, versions; size and digest of every other file
    report/                  the page, figures, tables and verdicts (`summary.json`)
    nodes.jsonl              the canonical text of every node, inputs first; the digest of a line is the node's id
    runs.jsonl               how every run ended and was executed, and the digests of its kept states
    values/<run>.safetensors what was measured of a run and seen while it trained, as "<node>/<name>"
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

import prunescope
from prunescope.base.digest import text_digest
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.kinds import KIND
from prunescope.runs.store.results import FACTS
from prunescope.runs.store.store import Values
from prunescope.studies.summary import finite

FORMAT = 1
HEAD, NODES, RUNS, SUMMARY = "bundle.json", "nodes.jsonl", "runs.jsonl", "report/summary.json"
MOST_HEAD, MOST_LINE = 64 << 20, 16 << 20
"""Bytes of `bundle.json`, and of a line, at most: they are read at once."""
MOST_FILES = 1_000_000
_TEXT = "#text"
T = TypeVar("T", bound=Sized)
_ID = re.compile(r"[0-9a-f]{32}")


class DamagedBundle(PrunescopeError):
    """Files of a bundle are not what was published, each named."""

    exit_code = 1

    def __init__(self, problems: Mapping[str, str]) -> None:
        """problems: by path, what is wrong."""
        self.problems = dict(problems)
        lines = "\n".join(f"  {printable(path)}: {printable(what)}" for path, what in self.problems.items())
        files = f"{len(self.problems)} file{'s' if len(self.problems) > 1 else ''}"
        super().__init__(f"{files} of the bundle cannot be used, get it again:\n{lines}")


@dataclass(frozen=True)
class Bundle:
    """A folder of which every file is what `bundle.json` says."""

    root: Path
    head: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """What two copies of one bundle have in common, 32 hexadecimal digits; to be compared with a published one."""
        return text_digest(json.dumps(self.head, sort_keys=True))

    @cached_property
    def nodes(self) -> dict[str, str]:
        """Canonical texts by id, inputs first."""
        return {text_digest(line): line for line in self._lines(NODES)}

    @cached_property
    def runs(self) -> dict[str, dict[str, Any]]:
        """By id: status, exec, sizes, and "states", the digests of kept states by moment."""
        records = [_object(line, RUNS) for line in self._lines(RUNS)]
        for record in records:
            if record.get("id") not in self.nodes:
                raise DamagedBundle({RUNS: f"run {str(record.get('id'))[:40]!r} is not among the nodes"})
            if not _is_record(record):
                raise DamagedBundle({RUNS: f"the record of run {record['id'][:12]} lacks what a run has"})
        return _each_once({record["id"]: record for record in records}, records, RUNS)

    @property
    def measured(self) -> list[str]:
        """The runs that values are filed under."""
        return sorted(path.stem for path in (self.root / "values").glob("*.safetensors") if _ID.fullmatch(path.stem))

    @cached_property
    def claims(self) -> list[dict[str, Any]]:
        """The published verdicts."""
        text = (self.root / SUMMARY).read_text(encoding="utf-8") if (self.root / SUMMARY).exists() else "{}"
        try:
            claims = finite(_object(text, SUMMARY).get("claims", []))  # older reports wrote "Infinity"
        except RecursionError:
            raise DamagedBundle({SUMMARY: "its claims are nested without end"}) from None
        if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
            raise DamagedBundle({SUMMARY: "its claims are no list of verdicts"})
        return list(_each_once({str(claim.get("name")): claim for claim in claims}, claims, SUMMARY).values())

    def values(self, run: str) -> dict[str, Values]:
        """What was measured of a run, by node: {name: array}; empty if nothing was."""
        path = self.root / _values_path(run)
        found: dict[str, Values] = {}
        if not path.exists():
            return found
        try:
            with safe_open(str(path), framework="np") as file:
                for key in file.keys():  # noqa: SIM118
                    node, _, name = key.partition("/")
                    found.setdefault(node, {})[name.removesuffix(_TEXT)] = _decoded(name, file.get_tensor(key))
        except Exception as problem:  # whatever a crafted file does to its reader
            raise DamagedBundle({_values_path(run): f"cannot be read ({problem})"}) from problem
        if odd := found.keys() - self.nodes.keys():
            raise DamagedBundle({_values_path(run): f"node {sorted(odd)[0][:40]!r} is not among the nodes"})
        # Otherwise no draw would ever find them out.
        if odd := {node for node in found if self._run_of(node) != run}:
            raise DamagedBundle({_values_path(run): f"node {min(odd)[:12]} is of another run"})
        if self._plain(run).get(KIND) == "Recipe" and self.runs.get(run, {}).get("status") != "done":
            raise DamagedBundle({_values_path(run): f"{RUNS} does not say that its run was trained"})
        return found

    def _run_of(self, node: str) -> object:
        """The id of the run that a reading, a comparison or a trace is filed under; see `records.measured`."""
        text = self._plain(node)
        return self._plain(text.get("state", text.get("first"))).get("run") if "run" not in text else text["run"]

    def _plain(self, node: object) -> dict[str, Any]:
        """What the text of a node says; nothing where there is none."""
        return _object(self.nodes.get(str(node), "{}"), NODES)

    def _lines(self, name: str) -> Iterator[str]:
        with (self.root / name).open("rb") as file:
            while line := file.readline(MOST_LINE):
                if len(line) >= MOST_LINE:
                    raise DamagedBundle({name: f"a line is longer than {MOST_LINE >> 20} MB"})
                try:
                    yield line.decode().rstrip("\n")
                except UnicodeDecodeError:
                    raise DamagedBundle({name: "it is no UTF-8 text"}) from None


def open_bundle(root: Path) -> Bundle:
    """A bundle, after every file was compared with its digest; links are not followed, nothing else is read.

    Raises UsageError where there is no bundle or it has another format, DamagedBundle with every damaged file.
    """
    root = root.expanduser()
    found = dict(_files(root))
    if (size := found.get(HEAD)) is None:
        raise UsageError(f"there is no bundle at {root}: no {HEAD} in it; `prunescope publish` makes one")
    if size > MOST_HEAD:
        raise DamagedBundle({HEAD: f"it has {size:,} bytes; {MOST_HEAD:,} are the most"})
    head = _object((root / HEAD).read_text(encoding="utf-8", errors="replace"), HEAD)
    if head.get("format") != FORMAT:
        raise UsageError(
            f"{root} is a bundle of format {str(head.get('format'))[:20]}, this version reads {FORMAT}; use the "
            "version of prunescope that made it"
        )
    problems = dict(_compared(root, found, head.get("files")))
    if problems:
        raise DamagedBundle(problems)
    return Bundle(root, head)


def strangers(root: Path) -> list[str]:
    """What lies at a place and is no part of a bundle there."""
    if not root.is_dir():
        return [root.name]
    ours: set[str] = set()
    with contextlib.suppress(DamagedBundle, OSError):
        head = _object((root / HEAD).read_text(encoding="utf-8", errors="replace"), HEAD)
        if {"format", "study", "prunescope"} <= head.keys() and isinstance(head.get("files"), dict):
            ours = {HEAD, *head["files"]}  # else another program's `bundle.json`
    return sorted(dict(_files(root)).keys() - ours)


def _files(root: Path) -> Iterator[tuple[str, int | None]]:
    """Every entry below a folder by its path there, with its bytes; None for what is no plain file (a link, a pipe)."""
    pending, count = [root], 0
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"there is no bundle at {folder}; give the folder that holds {HEAD}") from None
        for entry in entries:
            if (count := count + 1) > MOST_FILES:
                raise UsageError(f"{root} holds more than {MOST_FILES:,} files; a bundle has fewer")
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                pending.append(Path(entry.path))
            else:
                name = Path(entry.path).relative_to(root).as_posix()
                yield name, facts.st_size if stat.S_ISREG(facts.st_mode) else None


def _compared(root: Path, found: Mapping[str, int | None], listed: object) -> Iterator[tuple[str, str]]:
    """By path, what is not as `bundle.json` lists it."""
    if not isinstance(listed, dict):
        yield HEAD, "it lists no files"
        return
    for name in (NODES, RUNS):
        if name not in listed:
            yield name, "is not listed"
    for name, facts in listed.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or name == HEAD:
            yield name, f"{HEAD} lists it, and it is no path inside the bundle"
        elif name not in found:
            yield name, "is missing"
        elif not isinstance(facts, dict) or found[name] is None:
            yield name, "it is a link, or no plain file"
        elif found[name] != facts.get("bytes"):
            yield name, f"it has {found[name]:,} bytes, {facts.get('bytes')} were published"
        elif file_digest(root / name) != facts.get("digest"):
            yield name, "its content is not what was published"
    for name in found.keys() - listed.keys() - {HEAD}:
        yield name, "was not published"


def file_digest(path: Path) -> str:
    """128 bits of BLAKE2b over a file's bytes, as 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def package_digest() -> str:
    """The digest of this package's own code, names and bytes of all its files."""
    root = Path(prunescope.__file__).parent
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".html", ".md"))
    return text_digest("\n".join(f"{path.relative_to(root).as_posix()} {file_digest(path)}" for path in files))


def write_head(root: Path, facts: Mapping[str, Any]) -> None:
    """Seals a bundle: `bundle.json` with the size and digest of everything that lies there."""
    listed = {
        name: {"bytes": size, "digest": file_digest(root / name)} for name, size in sorted(_files(root)) if name != HEAD
    }
    content = {"format": FORMAT, **facts, "files": listed}
    (root / HEAD).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def write_values(root: Path, run: str, values: Mapping[str, Values]) -> None:
    """What was measured of a run, by node."""
    arrays = {}
    for node, columns in values.items():
        for name, array in columns.items():
            number = np.issubdtype(array.dtype, np.number) or array.dtype == bool
            content = array if number else np.frombuffer(json.dumps(array.tolist()).encode(), dtype=np.uint8)
            arrays[f"{node}/{name}{'' if number else _TEXT}"] = np.ascontiguousarray(content).reshape(content.shape)
    path = root / _values_path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(arrays))


def _each_once(named: T, listed: Sequence[object], name: str) -> T:
    """What a file lists, by name. Raises DamagedBundle where something stands twice: only one of the two is read."""
    if len(named) < len(listed):
        raise DamagedBundle({name: f"of {len(listed)} entries {len(listed) - len(named)} stand twice"})
    return named


def _is_record(record: Mapping[str, Any]) -> bool:
    """Whether what is said of a run has the types that everything here relies on."""
    sizes = [record.get(name) for name in FACTS] if record.get("status") == "done" else []
    texts = [record.get("status"), *(record["states"].values() if isinstance(record.get("states"), dict) else [None])]
    return (
        isinstance(record.get("exec"), dict)
        and (bool(record["states"]) or record["status"] != "done")  # of no weights, all would be equal
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(size, int | float) for size in sizes)
    )


def printable(text: object) -> str:
    """A stranger's text for a terminal, at most 300 characters: without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:300])


def _values_path(run: str) -> str:
    if not _ID.fullmatch(run):
        raise DamagedBundle({RUNS: f"{run[:40]!r} is no id"})
    return f"values/{run}.safetensors"


def _decoded(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array(json.loads(array.tobytes()), dtype=object) if name.endswith(_TEXT) else array


def _object(text: str, name: str) -> dict[str, Any]:
    """A JSON object. Raises DamagedBundle for anything else, nesting without end included."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise DamagedBundle({name: f"it is no JSON ({problem})"}) from None
    if not isinstance(content, dict):
        raise DamagedBundle({name: "it is no JSON object"})
    return content
