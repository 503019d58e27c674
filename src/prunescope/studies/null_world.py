"""The null world of a study: nothing is treated, so whatever it finds is chance or a fault of its statistics.

Every treated network (with interventions, trained on from another one, on a subset, or narrower) is replaced by a
dense one that is trained for one length of its schedule under seeds of its own. What is measured and claimed stays.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import derived
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Everything, Fresh, Recipe
from prunescope.studies.results import Node, Results
from prunescope.studies.study import Study
from prunescope.studies.substitution import Substitution, substituted


class NoSuchThing(PrunescopeError):
    """In the null world there is nothing to measure, such as the events of pruning."""


def null_world(study: Study) -> Study:
    """The same study without any treatment. Data, label noise, and which replicate a network belongs to are kept."""
    return replace(
        substituted(study, _Untreated(study.nodes)),
        name=f"{study.name}/null",
        notes=(__doc__.partition("\n\n")[2].strip(), *study.notes),
    )


class _Untreated(Substitution):
    """From a node to the node of the untreated network that stands for it.

    nodes: all of a study: of its networks that differ in their argument `scale` only, the widest is the dense one.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        super().__init__()
        self._widest: dict[str, float] = {}
        for node in closure(nodes).values():
            if isinstance(node, Recipe) and (scale := _scale(node)) is not None:
                family = _family(node)
                self._widest[family] = max(scale, self._widest.get(family, scale))

    def read(self, of: Callable[[Results], Any], results: Results) -> Any:
        """What is read off results; what was written for networks that something happened to finds nothing here."""
        try:
            return super().read(of, results)
        except Exception as problem:
            if isinstance(problem, PrunescopeError) and not isinstance(problem, UsageError):
                raise
            raise NoSuchThing(f"in the null world there is nothing of this kind to measure ({problem})") from problem

    def value(self, value: Value) -> Value:
        """Positions at which something happened are positions."""
        if isinstance(value, StateRef) and value.moment.when in ("before", "after"):
            return value.replace(moment=Moment(when="step", at=value.moment.at))
        return value

    def recipe(self, recipe: Recipe) -> Recipe:
        """A dense network in the place of a treated one."""
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


def _scale(recipe: Recipe) -> float | None:
    scale = recipe.task.network.args.get("scale")
    return float(scale) if isinstance(scale, int | float) else None


def _family(recipe: Recipe) -> str:
    """What networks of all widths have in common."""
    network = recipe.task.network
    rest = {name: value for name, value in network.args.items() if name != "scale"}
    return f"{network.path} {rest} {recipe.task.data.source.id}"
