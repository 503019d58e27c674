"""What a study sees of the runs: nodes with an id, and the readings made of them.

Numbers over replicates are lined up in `quantity.py`.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.measures.measure import Values

Numbers = NDArray[np.float64]
Node = Value
"""Anything that results are filed under, by its id: a run, a reading, a combination."""


class Results(Protocol):
    """Computed readings by node; a node that was not computed, or failed, raises a PrunescopeError."""

    def __getitem__(self, node: Any, /) -> Values: ...

    def __contains__(self, node: Any, /) -> bool: ...


def scalar(reading: Values, *, node: Node, name: str) -> float:
    """The scalar `name` of a node's result. Raises UsageError if there is no such value or it is not a scalar."""
    value = np.asarray(named(reading, node=node, name=name))
    if value.ndim:
        raise UsageError(f"{name!r} of reading {node.id} has shape {value.shape}; reduce it to one number first")
    return float(value)


def named(reading: Values, *, node: Node, name: str) -> NDArray[Any]:
    """The value `name` of a node's result. Raises UsageError if there is none."""
    if name not in reading:
        run = "; it is a run: write ps.Reading(measure=..., state=ps.final(run))" if "parameters" in reading else ""
        raise UsageError(f"reading {node.id} has no value {name!r}; it has {', '.join(sorted(reading))}{run}")
    return reading[name]
