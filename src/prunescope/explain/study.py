"""explain: Why did pruning change generalization: time, size, disturbance, or the choice of weights?

A designed experiment on a recipe of your own: networks between the dense and the pruned one, each with a part of what
pruning consists of, and the share of every part in what pruning changed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.explain.controls import controls
from prunescope.explain.design import Design, Level, Size, remaining
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
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.schedules import Constant, Schedule

Orders = Literal["all", "two"]
PLACE = "proposed here, after Jin et al. 2022, Bartoldson et al. 2020 and Frankle et al. 2021"


class Pruning(Value):
    """How far a recipe is pruned, and how it is explained.

    fraction: of the remaining weights that a level removes.
    score: the value of a weight.
    levels: of pruning.
    rewind: where the schedule starts again at every level.
    level: which level is explained: the last, or the best one, cross-fitted.
    size: how a network is small from the start; narrower where the network has an argument `scale`.
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
    replicates: int = Field(default=5, ge=2)


class Settings(Own, Pruning):
    """A network of your own, its training, and how far it is pruned."""

    added: ClassVar[frozenset[str]] = frozenset()
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant(lr=0.1)
    epochs: Count = 30
    replicates: int = Field(default=5, ge=2)


SMOKE = {"epochs": 1, "levels": 2, "replicates": 2}
SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(arguments={"inputs": 64, "hidden": [16, 12]}, share=0.2, **SMOKE),
        "laptop": Settings(),
        "paper": Settings(replicates=10),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    return of_recipe(settings.recipe(), settings, scale, about=f"{settings.network} on {settings.data}, ")


def template_of(file: str) -> Template:
    """The study of the recipe that a file.py calls `recipe`. Raises UsageError where there is none."""
    recipe = getattr(module_of(file), "recipe", None)
    if not isinstance(recipe, Recipe):
        raise UsageError(
            f"{file} has no Recipe called `recipe`; write recipe = ps.Recipe(...) in it, or give --network"
        )
    scales = {"laptop": Pruning(), "smoke": Pruning(levels=2, replicates=2)}
    return Template(file, scales, lambda settings, scale: of_recipe(recipe, settings, scale))


def of_recipe(recipe: Recipe, settings: Pruning | Settings, scale: str, about: str = "") -> Study:
    """The study of a recipe, pruned as the settings say."""
    return explain(
        recipe,
        prune=Prune(amount=Remaining(fraction=settings.fraction), score=settings.score),
        levels=settings.levels,
        rewind=settings.rewind,
        level=settings.level,
        size=settings.size,
        orders=settings.orders,
        noise=settings.noise,
        replicates=settings.replicates,
        settings=settings,
        scale=f"{scale}: {about}{settings.levels} levels, {settings.replicates} replicates",
    )


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
    factors: the parts of pruning; one of your own is a subclass of `Factor`.
    settings: what the report shows as such; by default the recipe.
    levels, rewind, level, size, orders, noise, replicates: as in `Pruning`.

    Raises UsageError for a recipe with interventions, a level that cannot be reached, one replicate, fewer than two
    test examples, and size="narrower" where the network cannot be narrower.
    """
    prune = prune or Prune(amount=Remaining(fraction=0.2))
    _check(recipe, prune, levels, replicates)
    has_scale = isinstance(recipe.task.network.args.get("scale"), int | float)
    design = Design(
        base=with_data(dense(recipe), label_noise=noise) if noise else dense(recipe),
        prune=prune,
        levels=levels,
        rewind=rewind,
        count=replicates,
        factors=factors,
        level=level,
        size=size or ("narrower" if has_scale else "masks"),
        fractional=orders == "two",
    )
    other, missing = controls(design)
    claims = _claims(design)
    notes = _notes(design)
    return Study(
        *titled(__doc__),
        settings=settings or recipe,
        scale=scale,
        figures=figures(design, claims, other, tuple(missing)),
        claims=claims,
        notes=notes,
        head=lambda results: sentence(design, results),
    )


def _claims(design: Design) -> tuple[Claim, ...]:
    outcome, less = design.outcomes[0], Direction("less")
    text = f"Pruning lowers {outcome.label}."
    claims = [Claim("pruning-lowers-the-error", text, design.effect(outcome), less, place=PLACE)]
    for name in [factor.name for factor in design.factors]:
        text = f"Of what pruning changes, the part of {name} lowers {outcome.label}."
        claims.append(Claim(f"{name}-lowers-the-error", text, design.share(name, outcome), less, place=PLACE))
    return tuple(claims)


def _notes(design: Design) -> tuple[str, ...]:
    ways = {
        "narrower": "A network that is small from the start is narrower, with as many prunable weights at most; where "
        "the score chooses, it is the full one under the pruned network's mask.",
        "masks": "A network that is small from the start is the full one under a random mask with the pruned network's "
        "number of weights in each layer; a narrower one needs a factory with an argument `scale`.",
    }
    notes = [
        ways[design.size],
        f"Shares are means over {len(design.orders)} orders of the factors, and {len(design.cells)} kinds of networks; "
        "replicates are paired by seed, and what kinds have in common is trained once.",
    ]
    if design.level == "best":
        notes.append(
            "The level is chosen on half of the test examples by the networks of the other half of the replicates, and "
            "judged on the rest, both ways; at level 0 nothing is pruned."
        )
    return tuple(notes)


def _check(recipe: Recipe, prune: Prune, levels: int, replicates: int) -> None:
    """Refuses before anything runs what could not be said after everything ran."""
    if levels < 1:
        raise UsageError(f"levels={levels} prunes nothing; give 1 or more")
    remaining(prune, levels)
    if replicates < 2:
        raise UsageError(
            f"{replicates} replicate has no interval, so no cause could be told from chance; give 2 or more, better 5"
        )
    if (tests := recipe.task.data.source.test) < 2:
        raise UsageError(f"{tests} test examples say nothing about generalization; give 2 or more, with their labels")
