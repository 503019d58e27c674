"""The null world of a study: nothing is treated, so whatever it finds is chance or a fault of its statistics.

Every treated network (with interventions, trained on from another one, on a subset, or narrower) is replaced by a
dense one that is trained for one length of its schedule under seeds of its own. What is measured and claimed stays.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import derived
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Everything, Fresh, Recipe
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Computed, Figure, Rows
from prunescope.studies.region import Direction
from prunescope.studies.results import Node, Results
from prunescope.studies.study import Study


class NoSuchThing(PrunescopeError):
    """In the null world there is nothing to measure, such as the events of pruning."""


def null_world(study: Study) -> Study:
    """The same study without any treatment. Data, label noise, and which replicate a network belongs to are kept."""
    untreated = _Untreated(study.nodes)

    def quantity(given: Any) -> Any:  # a Quantity, or an Estimated, which is read in the same way
        nodes = tuple(untreated(node) for node in given.nodes)
        return replace(given, nodes=nodes, of=lambda results: _read(given.of, results, untreated))

    def condition(given: Precondition) -> Precondition:
        return replace(given, quantity=quantity(given.quantity))

    def rows(given: Rows | Computed) -> Rows | Computed:
        if isinstance(given, Rows):
            return replace(given, values={name: quantity(value) for name, value in given.values.items()})
        nodes = [untreated(node) for node in given.nodes]
        return replace(given, nodes=nodes, make=lambda results: _read(given.make, results, untreated))

    claims: dict[int, Claim] = {
        id(claim): replace(
            claim,
            quantity=quantity(claim.quantity),
            preconditions=tuple(map(condition, claim.preconditions)),
        )
        for claim in study.claims
    }

    def figure(given: Figure) -> Figure:
        shown = tuple(claims[id(claim)] for claim in given.claims)
        return replace(given, rows=[rows(part) for part in given.rows], claims=shown)

    head = study.head
    return replace(
        study,
        name=f"{study.name}/null",
        figures=tuple(map(figure, study.figures)),
        claims=tuple(claims.values()),
        cautions=tuple(map(condition, study.cautions)),
        head=head and (lambda results: _read(head, results, untreated)),
        notes=(__doc__.partition("\n\n")[2].strip(), *study.notes),
    )


def claims_difference(claim: Claim) -> bool:
    """Whether it says that something is more or less than something else, which must not be decided in a null world."""
    return type(claim.region) is Direction and claim.region.than == 0.0 and not claim.region.or_matches


def _read(of: Callable[[Results], Any], results: Results, untreated: "_Untreated") -> Any:
    """What is read off results in which every node stands for its untreated one."""
    try:
        return of(_Results(results, untreated))
    except Exception as problem:
        if isinstance(problem, PrunescopeError) and not isinstance(problem, UsageError):
            raise
        # It was written for networks that something happened to.
        raise NoSuchThing(f"in the null world there is nothing of this kind to measure ({problem})") from problem


@dataclass(frozen=True)
class _Results:
    """Results read under the names of treated nodes."""

    results: Any
    untreated: "_Untreated"

    def __getitem__(self, node: Any) -> Mapping[str, np.ndarray[Any, Any]]:
        found: Mapping[str, np.ndarray[Any, Any]] = self.results[self.untreated(node)]
        return found

    def __contains__(self, node: Any) -> bool:
        return self.untreated(node) in self.results

    def recipe(self, run: Value) -> Recipe:
        """The untreated recipe that a run stands for."""
        found: Recipe = self.results.recipe(self.untreated(run))
        return found


class _Untreated:
    """From a node to the node of the untreated network that stands for it.

    nodes: all of a study: of its networks that differ in their argument `scale` only, the widest is the dense one.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._made: dict[str, Value] = {}
        self._widest: dict[str, float] = {}
        for node in closure(nodes).values():  # type: ignore[arg-type]  # a study's nodes are values
            if isinstance(node, Recipe) and (scale := _scale(node)) is not None:
                family = _family(node)
                self._widest[family] = max(scale, self._widest.get(family, scale))

    def __call__(self, node: Any) -> Any:
        for inner in closure([node]).values() if node.id not in self._made else ():
            if inner.id not in self._made:
                self._made[inner.id] = self._dense(inner) if isinstance(inner, Recipe) else self._rebuilt(inner)
        return self._made[node.id]

    def _dense(self, recipe: Recipe) -> Recipe:
        widest = self._widest.get(_family(recipe))
        narrow = widest is not None and widest != _scale(recipe)
        grown = isinstance(recipe.start, Fresh) and isinstance(recipe.examples, Everything)
        if grown and not recipe.interventions and not narrow:
            return recipe
        network = recipe.task.network.with_args(scale=widest) if narrow else recipe.task.network
        seed = derived(0, "null world", recipe.id) >> 32
        return recipe.replace(
            task=recipe.task.replace(network=network),
            start=Fresh(),
            begin="0it",
            interventions=(),
            examples=Everything(),
            seeds=recipe.seeds.replace(init=seed, order=seed, mask=seed),
        )

    def _rebuilt(self, value: Value) -> Value:
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: self._inside(field) for name, field in fields.items()}
        if isinstance(value, StateRef) and value.moment.when in ("before", "after"):
            new["moment"] = Moment(when="step", at=value.moment.at)  # nothing happens there
        return value if new == fields else value.replace(**new)

    def _inside(self, field: Any) -> Any:
        if isinstance(field, Value):
            return self._made[field.id] if field.by_id else self._rebuilt(field)
        if isinstance(field, tuple | list):
            return type(field)(self._inside(item) for item in field)
        return {name: self._inside(item) for name, item in field.items()} if isinstance(field, dict) else field


def _scale(recipe: Recipe) -> float | None:
    scale = recipe.task.network.args.get("scale")
    return float(scale) if isinstance(scale, int | float) else None


def _family(recipe: Recipe) -> str:
    """What networks of all widths have in common."""
    network = recipe.task.network
    rest = {name: value for name, value in network.args.items() if name != "scale"}
    return f"{network.path} {rest} {recipe.task.data.source.id}"
