"""A number of every replicate that knows what it is made of: what claims compare and figures show.

    longer = column([run.test for run in extended], "error", scale=100, label="extended", unit="% test error")
    pruned = ...
    longer - pruned      # [replicates]; needs the readings of both; "extended minus pruned"

A study computes the nodes of its quantities and no others, so no claim can be about something that was forgotten.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunescope.base.errors import UsageError
from prunescope.studies.results import Node, Numbers, Results, named, scalar
from prunescope.studies.statistics import Interval

Found = TypeVar("Found")


@dataclass(frozen=True)
class Estimate:
    """An interval and what it is made from.

    interval: of the number.
    n: how many examples (or what `over` says) it is estimated from.
    over: what there are n of.
    about: what the interval is of where the label does not say it, such as the worst of several groups.
    """

    interval: Interval
    n: int
    over: str = "examples"
    about: str = ""


@dataclass(frozen=True)
class _Read(Generic[Found]):
    """A function of results, with the nodes whose results it reads."""

    label: str
    unit: str
    nodes: tuple[Node, ...]
    of: Callable[[Results], Found]

    @property
    def described(self) -> str:
        """Unit and label, as they are printed beside a number."""
        return ", ".join(filter(None, (self.unit, self.label)))


@dataclass(frozen=True)
class Estimated(_Read[Estimate]):
    """A function of results with the nodes it reads, like a `Quantity`, that brings its own interval.

    A claim about a `Quantity` speaks of other seeds. An `Estimated` speaks of other examples of the same kind (its
    `over` says so), and of other seeds only where its maker says so.

    label: what it is of. unit: what it is counted in. nodes: all that must be computed before it can be read.
    of: from results to the estimate; raises a PrunescopeError that says why where there is none.
    """

    def __call__(self, results: Results) -> Estimate:
        """The estimate. Raises a PrunescopeError where a node has no result."""
        return self.of(results)


@dataclass(frozen=True)
class Quantity(_Read[ArrayLike]):
    """A function of results, with the nodes whose results it reads.

    label: what it is of ("pruned at its best"); differences put labels together. It may be empty.
    unit: what it is counted in ("percentage points of test error").
    nodes: all that must be computed before it can be read.
    of: from results to [replicates], or to [replicates, parts] where there are several numbers a replicate.
    """

    def __call__(self, results: Results) -> NDArray[Any]:
        """Its value: [replicates] or [replicates, parts]. Raises a PrunescopeError where a node has no result."""
        return np.asarray(self.of(results))

    def __sub__(self, other: "Quantity") -> "Quantity":
        """The difference at equal replicates, in the unit that both have. Raises UsageError for two units."""
        require_quantities([other])
        if self.unit != other.unit:
            raise UsageError(f"a difference of {self.unit!r} and {other.unit!r} has no unit; convert one of them")
        label = f"{self.label} minus {other.label}" if self.label and other.label else ""
        return combined(_paired, self, other, label=label, unit=self.unit)

    def __neg__(self) -> "Quantity":
        return self.map(np.negative)

    def map(
        self, function: Callable[[NDArray[Any]], ArrayLike], *, label: str | None = None, unit: str | None = None
    ) -> "Quantity":
        """A function of its value, such as a mean over parts or another unit; label and unit stay unless given."""
        return replace(self.named(label, unit), of=lambda results: function(self(results)))

    def named(self, label: str | None = None, unit: str | None = None) -> "Quantity":
        """The same numbers under another label or unit."""
        return replace(self, label=self.label if label is None else label, unit=self.unit if unit is None else unit)


def _paired(first: Numbers, second: Numbers) -> Numbers:
    if first.shape != second.shape:
        raise UsageError(
            f"a difference of {list(first.shape)} and {list(second.shape)} numbers is not paired; both quantities need "
            "the same replicates, in one order"
        )
    return np.asarray(first - second)


def _listed(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes of one quantity. Raises UsageError for what is no list of nodes."""
    if hasattr(nodes, "references"):
        raise UsageError(f"{type(nodes).__name__} is one node; give a list of them, one a replicate")
    listed = tuple(nodes)
    if odd := [node for node in listed if isinstance(node, str) or not hasattr(node, "id")]:
        raise UsageError(f"{odd[0]!r} is no node; give a list of readings, one a replicate")
    _require_distinct([node.id for node in listed])
    return listed


def _require_distinct(replicates: Sequence[object]) -> None:
    """Raises UsageError for one replicate that counts as two, which makes every interval too narrow."""
    places: dict[object, int] = {}
    for place, replicate in enumerate(replicates, 1):
        if (first := places.setdefault(replicate, place)) < place:
            raise UsageError(
                f"replicates {first} and {place} are one and the same result; give each network once (ps.replicates("
                "recipe, n) makes several), and one that goes with all as another quantity of ps.combined"
            )


def column(nodes: Iterable[Node], name: str, *, scale: float = 1.0, label: str = "", unit: str = "") -> Quantity:
    """The scalar `name` of one node a replicate, times `scale`: [replicates].

    Reading it raises UsageError if a node's result has no such value, or it is not a scalar.

    `column(pruned, "error") - column(dense, "error")` are paired differences.
    """
    listed = _listed(nodes)

    def values(results: Results) -> Numbers:
        return scale * np.array([scalar(results[node], node=node, name=name) for node in listed], dtype=np.float64)

    return Quantity(label, unit, listed, values)


def arrays(nodes: Iterable[Node], name: str, *, scale: float = 1.0, label: str = "", unit: str = "") -> Quantity:
    """The array `name` [P] of one node a replicate, times `scale`: [replicates, P], such as curves over epochs.

    Reading it raises UsageError if arrays differ in shape. Where gaps are shown, a missing one is not a number.
    """
    listed = _listed(nodes)

    def values(results: Results) -> Numbers:
        rows = [np.asarray(named(results[node], node=node, name=name), dtype=np.float64) for node in listed]
        return scale * _lined_up(rows, f"arrays {name!r}")

    return Quantity(label, unit, listed, values)


def each(function: Callable[..., ArrayLike], *nodes: Iterable[Node], label: str = "", unit: str = "") -> Quantity:
    """A function of every replicate's own results: [R], or [R, P] where it returns arrays of one length.

    nodes: one a replicate, for each argument: `each(gap, tests, trains)` is gap(test, train) of every replicate.

    Reading it raises UsageError if arrays differ in shape. Where gaps are shown, a replicate that lacks a result is not
    a number.
    """
    lists = [tuple(some) for some in nodes]
    if len(counts := sorted({len(some) for some in lists})) != 1:
        raise UsageError(f"each() of lists of {counts or 'no'} nodes; give one node a replicate for each argument")
    rows = tuple(zip(*lists, strict=True))
    _require_distinct([tuple(node.id for node in row) for row in rows])

    def value(results: Results, row: tuple[Node, ...]) -> ArrayLike:
        read = [results[node] for node in row]
        return function(*read) if all(node in results for node in row) else math.nan

    def values(results: Results) -> NDArray[Any]:
        return _lined_up([np.asarray(value(results, row)) for row in rows], "arrays")

    return Quantity(label, unit, tuple(node for row in rows for node in row), values)


def _lined_up(rows: Sequence[NDArray[Any]], what: str) -> NDArray[Any]:
    """The arrays of all replicates as one, [R, ...]; the one number of a gap stands for as many as others have."""
    shapes = {row.shape for row in rows if row.ndim}
    if len(shapes) > 1:
        raise UsageError(f"{what} of shapes {sorted(shapes)} do not line up over replicates")
    return np.array([np.broadcast_to(row, next(iter(shapes), ())) for row in rows])


def combined(function: Callable[..., ArrayLike], *quantities: Quantity, label: str = "", unit: str = "") -> Quantity:
    """A function of the values of several quantities, in their order.

    Reading it raises UsageError if they have different numbers of replicates; one number for all of them, such as a
    level that was chosen or a constant, goes with any.
    """
    require_quantities(quantities)

    def values(results: Results) -> ArrayLike:
        read = [part(results) for part in quantities]
        if len(counts := {len(np.atleast_1d(value)) for value in read} - {1}) > 1:
            found = " and ".join(map(str, sorted(counts)))
            raise UsageError(f"quantities of {found} replicates are not paired; give the same, in one order")
        return function(*read)

    return Quantity(label, unit, nodes_of(quantities), values)


def side_by_side(quantities: Sequence[Quantity], label: str = "") -> Quantity:
    """Several quantities of one unit as the parts of one: [replicates, parts]. Raises UsageError for several units.

    Reading it raises UsageError where one is no number a replicate, [replicates], or one for all of them.
    """
    require_quantities(quantities)
    units = list(dict.fromkeys(part.unit for part in quantities))
    if len(units) > 1:
        raise UsageError(f"parts with the units {units} do not go side by side; convert them to one")
    return combined(_stacked, *quantities, label=label, unit=units[0] if units else "")


def _stacked(*values: Numbers) -> Numbers:
    if odd := [value.shape for value in values if value.ndim > 1]:
        raise UsageError(f"a part of shape {list(odd[0])} does not go side by side; give one number a replicate")
    return np.stack(np.broadcast_arrays(*map(np.atleast_1d, values)), axis=1) if values else np.empty((0, 0))


def constant(value: float, *, replicates: int = 1, label: str = "", unit: str = "") -> Quantity:
    """A number that no result is needed for, such as the error of guessing: [replicates]."""
    return Quantity(label, unit, (), lambda results: np.full(replicates, value))


def nodes_of(quantities: Iterable[Quantity | Estimated]) -> tuple[Node, ...]:
    """The nodes of several quantities, each once, in order."""
    return tuple({node.id: node for part in quantities for node in part.nodes}.values())


def require_quantities(parts: Iterable[object]) -> None:
    """Raises UsageError for what is no quantity, such as a number, or an `Estimated` that has no values."""
    if odd := [part for part in parts if not isinstance(part, Quantity)]:
        raise UsageError(f"{odd[0]!r} is no quantity; make one by ps.column(...), of a number by ps.constant(...)")
