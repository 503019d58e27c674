"""Families of recipes: pure functions from one recipe to several.

Belongs here: the field's protocols as combinations of starts, interventions and schedules. Does not belong here: a
protocol that needs new code in the loop; that is an intervention.
"""

import reprlib
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from typing import Any, Literal

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Clock, Duration
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.sparsity.select import Amount, Remaining
from prunescope.tasks.model import Model
from prunescope.tasks.network import Network
from prunescope.training.interventions import At, Intervention, Prune, Rewind
from prunescope.training.schedules import Constant, Cosine, Milestones, Schedule, Warmup

Retrain = Literal["learning_rate", "weight", "fine_tune"]


def dense(recipe: Recipe) -> Recipe:
    """The recipe itself, checked to be without interventions: level 0 of every chain.

    Raises UsageError if it has some, and for what is no recipe.
    """
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{reprlib.repr(recipe)} is no recipe; give a ps.Recipe(task=..., optimizer=..., ...)")
    if recipe.interventions:
        kinds = ", ".join(type(value).__name__ for value in recipe.interventions)
        raise UsageError(
            f"a dense recipe has no interventions, this one has {kinds}; remove them first (those of every level are "
            "given to imp(..., also=(...,)))"
        )
    return recipe


def imp(
    recipe: Recipe,
    *,
    levels: int,
    prune: Prune | None = None,
    rewind: Duration = "0it",
    retrain: Retrain = "learning_rate",
    fine_tune: Duration | None = None,
    also: tuple[Intervention, ...] = (),
) -> list[Recipe]:
    """Iterative magnitude pruning: the recipes of levels 0 (dense) to `levels`.

    levels: how often it is pruned; each level starts a fresh optimizer.
    prune: what goes at the start of each level; default 20 % of the remaining weights, smallest magnitude, global.
    rewind: position of the schedule to which every level returns.
    retrain: "learning_rate" goes on from the last weights and replays the schedule from `rewind`; "weight" also
        puts weights and statistics back to their values at `rewind` of level 0; "fine_tune" goes on from the last
        weights for the last `fine_tune` of the schedule.
    fine_tune: how long the last part of the schedule is.
    also: other interventions of every level, the dense one included, behind pruning and rewinding.

    Raises UsageError for negative levels, for fine-tuning of no length or longer than the schedule.

    Source: Renda et al. 2020 (the three retraining techniques); Frankle et al. 2020, Algorithm 2.
    """
    if fine_tune is not None and retrain != "fine_tune":
        raise UsageError(f"fine_tune={fine_tune!r} has no meaning for retrain={retrain!r}; leave it out")
    prune = prune or Prune(amount=Remaining(fraction=0.2))
    base = dense(recipe).replace(interventions=also) if also else dense(recipe)
    rewind_to: tuple[Intervention, ...] = ()
    if retrain == "weight":
        rewind_to = (Rewind(to=StateRef(run=base, moment=Moment(when="step", at=rewind))),)
    begin = rewind if retrain != "fine_tune" else _last(base, fine_tune)
    return _chain(base, levels=levels, begin=begin, interventions=(prune, *rewind_to, *also))


def extended(recipe: Recipe, *, levels: int, rewind: Duration = "0it") -> list[Recipe]:
    """Extended dense training: the same replays of the schedule as `imp` with learning-rate rewinding, no pruning.

    Equal bit for bit to `imp` with a prune fraction of 0.

    Source: Jin et al. 2022, section 4 (extended dense training).
    """
    return _chain(dense(recipe), levels=levels, begin=rewind, interventions=())


def one_shot(recipe: Recipe, *, prune: Prune, rewind: Duration = "0it") -> list[Recipe]:
    """Dense, then pruned once to the target and retrained from `rewind`: two recipes."""
    return _chain(dense(recipe), levels=1, begin=rewind, interventions=(prune,))


def width(recipe: Recipe, *, levels: int, factor: float = 0.8) -> list[Recipe]:
    """Width down-scaling: dense recipes whose hidden widths are factor^k of the original, k = 0 to `levels`.

    Raises UsageError if the network has no argument `scale`.

    Source: Jin et al. 2022, section 5 (width down-scaling).
    """
    args = recipe.task.network.args
    if "scale" not in args:
        raise UsageError(
            f"{recipe.task.network.path} has no argument 'scale' to multiply its widths with "
            f"(it has {', '.join(args) or 'none'}); add one to use width()"
        )
    scale = args["scale"]
    if not isinstance(scale, int | float) or levels < 0 or factor <= 0:
        raise UsageError(
            f"scale={scale!r}, levels={levels} and factor={factor} give no widths; scale and factor are positive "
            "numbers, levels is 0 or more"
        )
    return [with_network(recipe, scale=scale * factor**level) for level in range(levels + 1)]


def narrower(recipe: Recipe, left: Mapping[int, float]) -> dict[int, Network]:
    """The network of a recipe so narrow that at most a share of its prunable weights is left: by level.

    The factory's argument `scale` multiplies the widths. Raises UsageError where the factory has no such argument, and
    where the narrowest network has over a tenth too many weights.
    """
    net = recipe.task.network
    scale = net.args.get("scale")
    fix = "leave size='narrower' out: then the small network is the full one under a random mask"
    if not isinstance(scale, int | float):
        raise UsageError(f"{net.path} has no argument 'scale' to multiply its widths with; add one, or {fix}")

    @cache
    def weights(parts: int) -> int:
        model = Model(net.with_args(scale=scale * parts / 1024))
        return sum(model.parameters[name].numel() for name in model.maskable)

    def scaled(share: float) -> Network:
        low, high, count = 1, 1025, share * weights(1024)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if weights(middle) <= count else (low, middle)
        if weights(low) > 1.1 * count:
            raise UsageError(
                f"the narrowest {net.path} has {weights(low)} prunable weights, the pruned network {count:.0f}; prune "
                f"less, or {fix}"
            )
        return net.with_args(scale=scale * low / 1024)

    return {level: scaled(share) for level, share in left.items() if level}


def shares_left(amount: Amount, levels: int) -> dict[int, float]:
    """The share of weights that remains, by level. Raises UsageError for levels that remove nothing or everything."""
    many = 10**9
    counts = [many]
    for level in range(1, levels + 1):
        counts.append(amount.remaining_after(counts[-1], total=many, event=1, events=1))
        if not 0 < counts[-1] < counts[-2]:
            raise UsageError(
                f"level {level} cannot be reached: {amount!r} leaves a share of {counts[-1] / many:.3g} after "
                f"{counts[-2] / many:.3g}; give levels={level - 1}, or another amount"
            )
    return {level: count / many for level, count in enumerate(counts)}


def at_init(recipe: Recipe, prune: Prune) -> Recipe:
    """The recipe pruned before its first step."""
    return recipe.replace(interventions=(prune.replace(when=At(at="0it")), *recipe.interventions))


def during_training(recipe: Recipe, *interventions: Intervention) -> Recipe:
    """The recipe with interventions during its training, in this order, after those it has."""
    return recipe.replace(interventions=(*recipe.interventions, *interventions))


def replicates(recipe: Recipe, count: int) -> list[Recipe]:
    """The recipe under the seeds of replicates 0 to count - 1. Raises UsageError for a count below 1."""
    if not isinstance(count, int) or count < 1:
        raise UsageError(f"{count!r} replicates are none; give 1 or more")
    return [recipe.replace(seeds=replicate(number)) for number in range(count)]


def ensemble(
    recipe: Recipe, count: int, *, early: Duration, first_seed: int, opening: Schedule | None = None
) -> list[Recipe]:
    """Short runs behind a score that is the mean over networks early in training, such as EL2N and GraNd.

    All have the labels of the recipe, and hold out the same examples; each has a data order and initial weights by its
    seed, `first_seed` onwards.

    early: how long each trains.
    opening: its schedule, if that of the recipe has positions beyond `early`.

    Raises UsageError if count is not positive.

    Source: Paul et al. 2021, section 3 (mean over independent networks).
    """
    if count < 1:
        raise UsageError(f"an ensemble of {count} networks has no mean; give 1 or more")
    short = dense(recipe).replace(schedule=opening or recipe.schedule, length=early)
    data = {"data": recipe.seeds.data, "labels": recipe.seeds.labels}
    return [short.replace(seeds=replicate(first_seed + number).replace(**data)) for number in range(count)]


def grid(recipe: Recipe, **axes: Iterable[Any]) -> dict[tuple[Any, ...], Recipe]:
    """Every combination of some fields' values, by the tuple of values in the order of the axes.

    Raises UsageError for a field that recipes do not have.
    """
    if unknown := axes.keys() - Recipe.model_fields.keys():
        raise UsageError(f"recipes have no field {sorted(unknown)}; they have {', '.join(Recipe.model_fields)}")
    return {key: recipe.replace(**dict(zip(axes, key, strict=True))) for key in product(*axes.values())}


def with_data(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with some fields of its data changed, e.g. label_noise=0.15."""
    task = recipe.task
    return recipe.replace(task=task.replace(data=task.data.replace(**changes)))


def with_network(recipe: Recipe, **args: Any) -> Recipe:
    """The recipe with some arguments of its network changed, e.g. scale=0.64."""
    task = recipe.task
    return recipe.replace(task=task.replace(network=task.network.with_args(**args)))


def in_iterations(recipe: Recipe, steps: int | None = None) -> Recipe:
    """The same run with its length and schedule in iterations, so that fewer examples mean no fewer steps.

    steps: another length, to which the schedule is stretched.

    Raises UsageError for a schedule other than those of this package, and for a run on a Subset.
    """
    if isinstance(recipe.examples, Subset):
        raise UsageError(
            "how many steps an epoch has is not known while a recipe's examples are a Subset; give a task of those "
            "examples, or the Subset to what comes back"
        )
    clock = recipe.clock()
    steps = steps or clock.total
    return recipe.replace(length=f"{steps}it", schedule=_in_iterations(recipe.schedule, clock, steps))


def _in_iterations(schedule: Schedule, clock: Clock, steps: int) -> Schedule:
    def stretched(position: Duration) -> Duration:
        return f"{clock.steps(position) * steps // clock.total}it"

    if isinstance(schedule, Milestones):
        return schedule.replace(drops=tuple(map(stretched, schedule.drops)))
    if isinstance(schedule, Warmup):
        return schedule.replace(steps=stretched(schedule.steps), then=_in_iterations(schedule.then, clock, steps))
    if isinstance(schedule, Constant | Cosine):
        return schedule
    kinds = "Constant, Cosine, Milestones or Warmup"
    raise UsageError(f"{type(schedule).__name__} cannot be written in iterations; use {kinds}")


def final(run: Value) -> StateRef:
    """The state at the end of a run."""
    return StateRef(run=run)


def _chain(base: Recipe, *, levels: int, begin: Duration, interventions: tuple[Intervention, ...]) -> list[Recipe]:
    if levels < 0:
        raise UsageError(f"levels={levels} is negative; 0 is the dense network alone")
    chain = [base]
    for _ in range(levels):
        chain.append(base.replace(start=final(chain[-1]), begin=begin, interventions=interventions))
    return chain


def _last(recipe: Recipe, fine_tune: Duration | None) -> Duration:
    if fine_tune is None:
        raise UsageError("retrain='fine_tune' needs fine_tune, how long the last part of the schedule is: '10ep'")
    clock = recipe.clock()
    steps = clock.steps(fine_tune)
    if not 1 <= steps <= clock.total:
        raise UsageError(
            f"fine_tune={fine_tune!r} is {steps} steps of a schedule of {clock.total}; give 1 to that many"
        )
    return f"{clock.total - steps}it"
