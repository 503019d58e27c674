"""explain: Why did pruning change generalization: time, size, disturbance, or the choice of weights?

A designed experiment on a recipe of your own: networks between the dense and the pruned one, each with a part of what
pruning consists of, and the share of every part in what pruning changed.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.explain.arm import narrower, remaining
from prunescope.explain.controls import controls
from prunescope.explain.design import Design, Level
from prunescope.explain.factors import FACTORS, Factor
from prunescope.explain.figures import figures, sentence
from prunescope.runs.graph.families import dense, with_data
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.scores import Magnitude, Score
from prunescope.sparsity.select import Remaining
from prunescope.studies import Claim, Direction, Study
from prunescope.studies.load import Template, module_of
from prunescope.studies.own import Count, Own
from prunescope.studies.study import titled
from prunescope.tasks.network import Network
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.schedules import Constant, Schedule

Orders = Literal["all", "two"]
Size = Literal["narrower", "masks"]


class Pruning(Value):
    """How far a recipe is pruned, and how it is explained.

    fraction: of the remaining weights that a level removes.
    score: the value of a weight.
    levels: of pruning.
    rewind: where the schedule starts again at every level.
    level: which level is explained: the last, or the best one, chosen on other networks and test examples.
    size: how a network is small from the start; by default narrower where its argument `scale` makes it so.
    orders: of the factors: all, or two where all are too dear.
    noise: share of wrong training labels that is added.
    replicates: networks of every kind.
    """

    fraction: float = Field(default=0.2, gt=0, lt=1)
    score: Score = Magnitude()
    levels: Count = 7
    rewind: Duration = "0it"
    level: Level = "last"
    size: Size | None = None
    orders: Orders = "all"
    noise: float = Field(default=0.0, ge=0, lt=1)
    replicates: Count = 5

    def study(self, recipe: Recipe, scale: str) -> Study:
        """The study of a recipe."""
        rest = {name: getattr(self, name) for name in Pruning.model_fields if name not in ("fraction", "score")}
        prune = Prune(amount=Remaining(fraction=self.fraction), score=self.score)
        words = f"{scale}: {recipe.task.network.path}, {self.levels} levels, {self.replicates} replicates"
        return explain(recipe, prune=prune, **rest, settings=self, scale=words)


class Settings(Own, Pruning):
    """A network of your own, its training, and how far it is pruned."""

    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant(lr=0.1)
    epochs: Count = 30
    replicates: Count = 5


_SMALL = Settings(arguments={"inputs": 64, "hidden": [16, 12]}, share=0.2, epochs=1, levels=2, replicates=2)
SCALES: Mapping[str, Settings] = MappingProxyType(
    {"smoke": _SMALL, "laptop": Settings(), "paper": Settings(replicates=10)}
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    return settings.study(settings.recipe(), scale)


def template_of(file: str) -> Template:
    """The study of the recipe that a file.py calls `recipe`. Raises UsageError where there is none."""
    recipe = getattr(module_of(file), "recipe", None)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{file} has no Recipe called `recipe`; write recipe = ps.Recipe(...), or give --network")
    scales = {"laptop": Pruning(), "smoke": Pruning(levels=2, replicates=2)}
    return Template(file, scales, lambda settings, scale: settings.study(recipe, scale))


def explain(
    recipe: Recipe,
    *,
    prune: Prune | None = None,
    levels: int = 7,
    rewind: Duration = "0it",
    level: Level = "last",
    size: Size | None = None,
    orders: Orders = "all",
    noise: float = 0.0,
    replicates: int = 5,
    factors: tuple[Factor, ...] = FACTORS,
    settings: Value | None = None,
    scale: str = "",
) -> Study:
    """A study of why pruning changes what a recipe's network does on its test examples.

    prune: what a level removes; by default 20 % of the remaining weights, smallest magnitude, global.
    levels, rewind, level, size, orders, noise, replicates: as in `Pruning`.
    factors: the parts of pruning; one of your own is a subclass of `Factor`.
    settings: what the report shows as such; by default the recipe.

    Raises UsageError for a recipe with interventions, a level that cannot be reached, one replicate, fewer than two
    test examples, and size="narrower" where the network cannot be narrower.
    """
    prune = prune or Prune(amount=Remaining(fraction=0.2))
    _check(recipe, levels, replicates)
    left = remaining(prune, levels)
    smaller, how = _smaller(recipe, left if level == "best" else {levels: left[levels]}, size)
    base = with_data(dense(recipe), label_noise=noise) if noise else dense(recipe)
    design = Design(base, prune, levels, rewind, replicates, factors, level, smaller, orders == "two")
    other, missing = controls(design)
    claims = _claims(design)
    return Study(
        *titled(__doc__),
        settings=settings or recipe,
        scale=scale,
        figures=figures(design, claims, other, missing),
        claims=claims,
        notes=(how, *_notes(design)),
        head=lambda results: sentence(design, results),
    )


def _smaller(recipe: Recipe, left: Mapping[int, float], size: Size | None) -> tuple[Mapping[int, Network] | None, str]:
    """The narrower network by level, or None, and how a network is small from the start, in words."""
    why = ""
    if size != "masks":
        try:
            return narrower(recipe, left), (
                "A network that is small from the start is narrower, with as many prunable weights as the pruned one "
                "at most; where the score chooses, it is the full one under the pruned network's mask."
            )
        except UsageError as problem:
            if size == "narrower":
                raise
            why = f" Not a narrower one: {problem}."
    return None, (
        "A network that is small from the start is the full one under a random mask with as many weights in each layer "
        f"as the pruned network's.{why}"
    )


def _claims(design: Design) -> tuple[Claim, ...]:
    error, less = design.outcomes[0], Direction("less")
    quantities = {"pruning": design.effect(error), **design.parts(error)}
    return tuple(
        Claim(
            f"{name}-lowers-the-error",
            f"Pruning lowers {error.label}." if name == "pruning" else f"The part of {name} lowers {error.label}.",
            quantity,
            less,
            place="proposed here",
        )
        for name, quantity in quantities.items()
    )


def _notes(design: Design) -> Iterator[str]:
    yield (
        f"Shares are means over {len(design.orders)} orders of the factors and {len(design.cells)} kinds of networks. "
        "Replicates are paired by seed, and what kinds have in common is trained once."
    )
    if design.level == "best":
        yield (
            "The level is chosen on half of the test examples by the networks of the other half of the replicates and "
            "judged on the rest, both ways; at level 0 nothing is pruned."
        )


def _check(recipe: Recipe, levels: int, replicates: int) -> None:
    """Refuses before anything runs what could not be said after everything ran."""
    if levels < 1:
        raise UsageError(f"levels={levels} prunes nothing; give 1 or more")
    if replicates < 2:
        raise UsageError(f"replicates={replicates} has no interval, so no cause is told from chance; give 2 or more")
    if (tests := recipe.task.data.source.test) < 2:
        raise UsageError(f"{tests} test examples say nothing about generalization; give 2 or more, with their labels")
