"""Manifests, small records and traces as bytes that carry a digest of themselves and say whose they are.

States, readings and checkpoints do the same in `codec.py`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from prunescope.base.digest import array_digest, text_digest
from prunescope.base.errors import StoreError
from prunescope.runs.store.codec import damaged, header
from prunescope.runs.store.storage import plain

SEALED = 2
"""The manifest's "schema" from which on it has a digest; earlier ones are believed."""
_COUNTS = ("step", "steps", "most_steps", "epoch_steps", "train_examples", "parameters")
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("status", "why"), str),
    **dict.fromkeys(("recipe", "resolved", "files", "layers", "exec"), dict),
    "parents": list,
    "sparsity": (int, float),
    **dict.fromkeys(_COUNTS, int),
}
_SPENT = ("seconds", "steps", "peak_memory_mb")
_WHERE = ("device", "machine", "prunescope", "torch", "python", "finished")
_KEY = b"prunescope"
_PARQUET = b"PAR1"


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as JSON with a digest of its content."""
    content = json.loads(json.dumps({**manifest, "schema": SEALED}))
    return json.dumps({**content, "digest": _digest(content)}, indent=1, sort_keys=True).encode()


def parse_manifest(text: bytes, name: str, run: str) -> dict[str, Any]:
    """The inverse, without the digest. name: how messages name the file. Raises Damaged, also for another run's."""
    try:
        content = json.loads(text)
        digest = content.pop("digest", None)
        sealed = content["schema"] == SEALED or digest is not None
        owner = content["id"]
        newer = content["schema"] > SEALED
        said = content.keys() | (_needed(content) if sealed else set())
        odd = [field for field in said & _TYPES.keys() if not _can_be(field, content.get(field))]
    except Exception as problem:
        raise damaged(name, problem) from problem
    if newer:  # not damaged: it is not set aside
        raise StoreError(f"{name} was written by a later version of prunescope; use that version on this store")
    if sealed and digest != _digest(content):
        raise damaged(name, "its content is not what its digest says")
    if owner != run:
        raise damaged(name, f"it is the manifest of run {owner}")
    if odd:  # of a stranger, who wrote a digest for it
        raise damaged(name, f"its {min(odd)} is {str(content.get(min(odd)))[:40]}")
    return dict(content)


def _needed(content: Mapping[str, Any]) -> set[str]:
    """What a manifest says in any case; nobody executed a given state."""
    trained = content.get("status") == "done" and content["recipe"].get("kind") != "Given"
    return {"status", "recipe", "parents"} | ({"exec", "step", "steps", "sparsity", "parameters"} if trained else set())


def _can_be(field: str, value: Any) -> bool:
    """Whether a field of a manifest has the type, and a number the bounds, that whoever reads it relies on."""
    if not isinstance(value, _TYPES[field]) or isinstance(value, bool):
        return False
    if field == "exec":
        datetime.fromisoformat(value["finished"]).timestamp()
        spent = [value[name] for name in _SPENT] + [value.get("elapsed", 0)]
        return all(isinstance(value[name], str) for name in _WHERE) and all(0 <= one < math.inf for one in spent)
    if field in ("parents", "files"):
        return all(isinstance(text, str) for text in (value.values() if field == "files" else value))
    return 0 <= value <= 1 if field == "sparsity" else field not in _COUNTS or 0 <= value < 2**63


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """A small record as JSON with a digest of its content."""
    content = json.loads(json.dumps(record))
    return json.dumps({**content, "seal": _digest(content)}, indent=1, sort_keys=True).encode()


def parse_record(text: bytes, name: str) -> Any:
    """The inverse; what earlier versions wrote has no digest and is believed. Raises Damaged."""
    content = plain(text)
    seal = content.pop("seal", None) if isinstance(content, dict) else None
    if not isinstance(content, dict | list) or seal not in (None, _digest(content)):
        raise damaged(name, "its content is not what its digest says")
    return content


def trace_bytes(rows: Sequence[Mapping[str, Any]], owner: str) -> bytes:
    """Rows as a parquet file with a digest of its columns. owner: whose it is, "run/probe"."""
    table = pyarrow.Table.from_pylist(list(rows))
    about = json.dumps({"owner": owner, "seal": _table_digest(table, owner)})
    sink = pyarrow.BufferOutputStream()
    table = table.replace_schema_metadata({_KEY: about})
    pyarrow.parquet.write_table(table, sink, write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def parse_trace(content: bytes, name: str, owner: str) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of a trace, each [rows]. Raises Damaged, also for another owner's."""
    try:
        source = pyarrow.BufferReader(content)
        table = pyarrow.parquet.read_table(source, page_checksum_verification=True)
        about = _about(table.schema)
        digest = _table_digest(table, about["owner"]) if about else None
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
    except Exception as problem:
        raise damaged(name, problem) from problem
    if digest != about.get("seal"):
        raise damaged(name, "its content is not what its digest says")
    if about.get("owner", owner) != owner:
        raise damaged(name, f"it is the trace of {about['owner']}")
    return columns


def seal_of(content: bytes) -> str:
    """How a manifest names the file of a state or a trace; empty where nothing can be read.

    A state's is the digest that it carries. A trace is named by all of its bytes, since parquet says much beside its
    columns.
    """
    try:
        if content[:4] == _PARQUET:
            return array_digest(np.frombuffer(content, dtype=np.uint8))
        return str(header(content).get("seal", ""))
    except Exception:  # flipped bits can make a reader fail in any way
        return ""


def is_named(content: bytes, seal: str | None) -> bool:
    """Whether a manifest names this file; before 2027 traces by the digest that they carry, and others not at all."""
    return seal in (None, seal_of(content)) or (content[:4] == _PARQUET and seal == _carried(content))


def _carried(content: bytes) -> object:
    return _about(pyarrow.parquet.read_schema(pyarrow.BufferReader(content))).get("seal")


def _about(schema: pyarrow.Schema) -> dict[str, Any]:
    return dict(json.loads((schema.metadata or {}).get(_KEY, b"{}")))


def _table_digest(table: pyarrow.Table, owner: str) -> str:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return _digest([owner, [str(field.type) for field in table.schema], columns])


def _digest(content: object) -> str:
    return text_digest(json.dumps(content, sort_keys=True))
