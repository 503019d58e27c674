"""Files of safetensors, and of torch.save, of which only tensors and plain containers are read.

Nothing in a file is ever executed.
"""

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


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The state dict in a file, whatever the file is called; only .safetensors is another kind than torch's."""
    path = Path(thing).expanduser() if isinstance(thing, str | Path) else None
    if path is None or not (path.is_file() or path.suffix == ".safetensors"):
        return None
    return tensors.load(read(path, name), name, store)


def read(path: Path, name: str) -> Mapping[Any, Any]:
    """The mapping in a file. Raises UsageError for a file with code in it, DataError for a damaged one."""
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as problem:
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
        if _is_torchscript(path):
            raise UsageError(
                f"{name} is a TorchScript program; save the tensors of the module: torch.save(model.state_dict(), path)"
            ) from None
        raise DataError(f"{name} is no file of torch.save, or it is damaged; save the state dict again") from None
    if isinstance(content, Mapping):
        return content
    raise UsageError(f"{name} holds a {type(content).__name__}; write it by torch.save(model.state_dict(), path)")


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any("/code/" in entry for entry in file.namelist())
