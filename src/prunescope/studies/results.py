"""What a study sees of the runs: opaque nodes with an id, and the readings made of them.

Belongs here: the two protocols and the one way to line up a number over replicates. Does not belong here: how
results are computed or stored.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError

Numbers = NDArray[np.float64]


class Node(Protocol):
    """Anything that results are filed under: a run, a reading, a combination."""

    @property
    def id(self) -> str:
        """What its result is filed under."""
        ...


class Results(Protocol):
    """Computed readings by node; a node that was not computed, or failed, raises a PrunescopeError."""

    def __getitem__(self, node: Any, /) -> Mapping[str, NDArray[Any]]: ...

    def __contains__(self, node: Any, /) -> bool: ...


def column(results: Results, nodes: Iterable[Node], *, name: str) -> Numbers:
    """The scalar `name` of every node, in the order given: [R], in the reading's own unit.

    Raises UsageError if the reading has no such value or it is not a scalar.

    `column(r, pruned, name="error") - column(r, dense, name="error")` are paired differences, one a
    replicate.
    """
    return np.array([_scalar(results[node], node=node, name=name) for node in nodes], dtype=np.float64)


def _scalar(reading: Mapping[str, NDArray[Any]], *, node: Node, name: str) -> float:
    if name not in reading:
        raise UsageError(f"reading {node.id} has no value {name!r}; it has {', '.join(sorted(reading))}")
    value = np.asarray(reading[name])
    if value.ndim:
        raise UsageError(
            f"{name!r} of reading {node.id} has shape {value.shape}; reduce it to one number first"
        )
    return float(value)
