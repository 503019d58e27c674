"""The same study of other runs: every recipe gives way to another one, and what was asked of it is asked of that."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from prunescope.base.value import Value
from prunescope.measures.measure import Values
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Computed, Figure, Rows
from prunescope.studies.results import Results
from prunescope.studies.study import Study


class Substitution:
    """From a node to the node that takes its place; a subclass says which recipe does.

    Recipes are met with what they start from and are made of in its place already.
    """

    def __init__(self) -> None:
        self._made: dict[str, Value] = {}

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe that takes a recipe's place."""
        raise NotImplementedError

    def value(self, value: Value) -> Value:
        """What takes the place of another value, whose references have theirs already; by default itself."""
        return value

    def read(self, of: Callable[[Results], Any], results: Results) -> Any:
        """What is read off results under the names of the nodes that were there before."""
        return of(_Renamed(results, self))

    def __call__(self, node: Any) -> Any:
        """The node that takes the place of a node."""
        for inner in closure([node]).values() if node.id not in self._made else ():
            if inner.id not in self._made:
                self._made[inner.id] = self.recipe(inner) if isinstance(inner, Recipe) else self.rebuilt(inner)
        return self._made[node.id]

    def rebuilt(self, value: Value) -> Value:
        """A value with what takes the place of its references; itself where nothing does."""
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: self._inside(field) for name, field in fields.items()}
        return self.value(value if new == fields else value.replace(**new))

    def _inside(self, field: Any) -> Any:
        if isinstance(field, Value):
            return self._made[field.id] if field.by_id and field.id in self._made else self.rebuilt(field)
        if isinstance(field, tuple | list):
            return type(field)(self._inside(item) for item in field)
        return {name: self._inside(item) for name, item in field.items()} if isinstance(field, dict) else field


def substituted(study: Study, change: Substitution) -> Study:
    """The study with every node exchanged; name, words and settings stay."""

    def quantity(given: Any) -> Any:  # a Quantity, or an Estimated, which is read in the same way
        nodes = tuple(change(node) for node in given.nodes)
        points = getattr(given, "points", None)  # of a correlation, which its paper's rule reads
        more = {"points": lambda results: change.read(points, results)} if points else {}
        return replace(given, nodes=nodes, of=lambda results: change.read(given.of, results), **more)

    def condition(given: Precondition) -> Precondition:
        return replace(given, quantity=quantity(given.quantity))

    def rows(given: Rows | Computed) -> Rows | Computed:
        if isinstance(given, Rows):
            return replace(given, values={name: quantity(value) for name, value in given.values.items()})
        nodes = [change(node) for node in given.nodes]
        return replace(given, nodes=nodes, make=lambda results: change.read(given.make, results))

    claims: dict[int, Claim] = {
        id(claim): replace(
            claim, quantity=quantity(claim.quantity), preconditions=tuple(map(condition, claim.preconditions))
        )
        for claim in study.claims
    }

    def figure(given: Figure) -> Figure:
        shown = tuple(claims[id(claim)] for claim in given.claims)
        return replace(given, rows=[rows(part) for part in given.rows], claims=shown)

    head = study.head
    return replace(
        study,
        figures=tuple(map(figure, study.figures)),
        claims=tuple(claims.values()),
        cautions=tuple(map(condition, study.cautions)),
        head=head and (lambda results, verdicts: change.read(lambda renamed: head(renamed, verdicts), results)),
    )


@dataclass(frozen=True)
class _Renamed:
    """Results read under the names of the nodes that were there before."""

    results: Results
    change: Substitution

    def __getitem__(self, node: Any) -> Values:
        return self.results[self.change(node)]

    def __contains__(self, node: Any) -> bool:
        return self.change(node) in self.results
