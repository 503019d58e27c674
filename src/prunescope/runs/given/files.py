"""Files of safetensors, and of torch.save, of which only tensors and plain containers are read.

Nothing in a file is ever executed.
"""

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from prunescope.base.errors import DataError, UsageError
from prunescope.runs.given import tensors
from prunescope.runs.given.tensors import Loaded
from prunescope.runs.store.store import Store

INDEX = ".safetensors.index.json"
"""How the file ends that says which tensors are in which of several files of safetensors."""


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The state dict in a file, whatever the file is called; those of safetensors by how it ends."""
    path = Path(thing).expanduser() if isinstance(thing, str | Path) else None
    if path is None or not (path.is_file() or path.suffix == ".safetensors"):
        return None
    return tensors.load(read(path, name), name, store)


def read(path: Path, name: str) -> Mapping[Any, Any]:
    """The mapping in a file. Raises UsageError for a file with code in it, DataError for a damaged one."""
    if path.suffix == ".safetensors" or path.name.endswith(INDEX):
        try:
            shards = [path] if path.suffix == ".safetensors" else _shards(path)
            return {key: leaf for shard in shards for key, leaf in load_file(shard).items()}
        except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
            raise DataError(f"{name} cannot be read ({problem}); it is not there, or damaged") from None
    try:
        with warnings.catch_warnings(action="ignore"):  # of torch, about protocols of what is then refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # a damaged file can fail in many ways
        if isinstance(problem, pickle.UnpicklingError) and (code := re.search(r"GLOBAL (\S+)", str(problem))):
            raise UsageError(
                f"{name} is a pickle of more than tensors ({code[1]}); reading it would execute code from the file, so "
                "it is not read. Load it where you trust it, and save its tensors: torch.save(model.state_dict(), path)"
            ) from None
        if program := _program(path):
            raise UsageError(
                f"{name} is a {program}; save the tensors of the module: torch.save(model.state_dict(), path)"
            ) from None
        raise DataError(f"{name} is no file of torch.save, or it is damaged; save the state dict again") from None
    if isinstance(content, Mapping):
        return content
    raise UsageError(f"{name} holds a {type(content).__name__}; write it by torch.save(model.state_dict(), path)")


def _shards(index: Path) -> list[Path]:
    """The files in which an index says that tensors are."""
    files = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    return [index.parent / file for file in sorted(set(files))]


def _program(path: Path) -> str:
    """The kind of program that a file holds; empty for another file."""
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as file:
        entries = file.namelist()
    kinds = {"/code/": "TorchScript program", "/models/": "program of torch.export"}
    return next((kind for part, kind in kinds.items() if any(part in entry for entry in entries)), "")
