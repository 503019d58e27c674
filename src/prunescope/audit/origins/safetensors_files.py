"""Files of safetensors."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from prunescope.audit.origins import state_dicts
from prunescope.audit.origins.loaded import Loaded
from prunescope.base.errors import DataError
from prunescope.runs.store.store import Store


def load(thing: Any, name: str, store: Store) -> Loaded | None:
    """The tensors of a file whose name ends in .safetensors."""
    if not isinstance(thing, str | Path) or Path(thing).suffix != ".safetensors":
        return None
    try:
        tensors = load_file(Path(thing).expanduser())
    except (SafetensorError, OSError) as problem:
        raise DataError(f"{name} cannot be read ({problem}); it is not there, or damaged") from None
    return state_dicts.load(tensors, name, store)
