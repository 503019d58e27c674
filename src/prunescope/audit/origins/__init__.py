"""Where given states come from: one file a kind of origin, each a function from what was given to plain tensors.

Belongs here: reading, and undoing what a file or a library does to the names and values of tensors. Does not belong
here: which network they are put into (`audit/networks.py`).
"""

from collections.abc import Callable
from typing import Any

from prunescope.audit.origins import modules, open_lth, safetensors_files, state_dicts, stored_runs, torch_files
from prunescope.audit.origins.loaded import Loaded
from prunescope.base.errors import UsageError
from prunescope.runs.store.store import Store

ORIGINS: tuple[Callable[[Any, str, Store], Loaded | None], ...] = (
    modules.load,
    state_dicts.load,
    open_lth.load,
    safetensors_files.load,
    torch_files.load,
    stored_runs.load,
)
"""Asked in this order; one that does not know what was given returns None."""


def load(thing: Any, name: str, store: Store) -> Loaded:
    """The tensors of whatever a user gave: a module, a state dict, a path, or the id of a run of the store.

    name: what messages call it.

    Raises UsageError for what cannot be read, and for what is none of these.
    """
    for origin in ORIGINS:
        if (loaded := origin(thing, name, store)) is not None:
            return loaded
    raise UsageError(
        f"{name} is neither a file that is here nor the beginning of a run's id in {store.url}"
        if isinstance(thing, str)
        else f"{name} is a {type(thing).__name__}; give a module, a state dict, the path of a file, or the id of a run"
    )
