"""What is to be computed: recipes, families of them, and the nodes that are made from them.

Belongs here: values with ids, and what follows from them alone. Does not belong here: a file, a device, a price.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """A name of `nodes`, as when that was this module itself."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(importlib.import_module("prunescope.runs.graph.nodes"), name)
