"""What has been computed and what is missing: files, leases, the listing, plans, where a number comes from.

Belongs here: everything that reads or writes the folder of a store, or compares it with a graph. Does not belong here:
how a result is made.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """A name of `store`, as when that was this module itself."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(importlib.import_module("prunescope.runs.store.store"), name)
