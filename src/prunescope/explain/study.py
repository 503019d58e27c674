"""explain: Why did pruning change generalization: time, size, disturbance, or the choice of weights?

A designed experiment on a recipe of your own: networks between the dense and the pruned one, each with a part of what
pruning consists of, and the share of every part in what pruning changed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.explain.claims import claims
from prunescope.explain.design import DENSE, Design, Pruning
from prunescope.explain.factors import FACTORS, Factor, require_factors
from prunescope.explain.figures import figures, sentence
from prunescope.measures import Examples
from prunescope.runs.graph.families import dense, final, in_iterations, narrower, shares_left, with_data
from prunescope.runs.graph.nodes import Combined, Reading, Trace
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.sparsity.select import Remaining
from prunescope.studies import Quantity, Study, arrays
from prunescope.studies.load import Template, recipe_of
from prunescope.studies.own import Arguments, Count, Own
from prunescope.studies.selection import stopped_early
from prunescope.studies.study import titled
from prunescope.tasks.network import Network
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.probes import Curve
from prunescope.training.schedules import Constant, Schedule
from prunescope.training.stopping import AtEnd


class Settings(Pruning, Own):
    """A network of your own, its training, and how far it is pruned."""

    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant(lr=0.1)
    epochs: Count = 30


_SMALL = Settings(arguments={"inputs": 64, "hidden": [16, 12]}, share=0.2, epochs=1, levels=2, replicates=2)
SCALES: Mapping[str, Settings] = MappingProxyType(
    {"smoke": _SMALL, "laptop": Settings(), "paper": Settings(replicates=10)}
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    return _study(settings.recipe(), settings, scale)


def template_of(file: str) -> Template:
    """The study of the recipe that a file.py calls `recipe`. Raises UsageError where there is none.

    It has the file's name in its own, since settings do not tell the recipes of two files apart: what was registered
    and pinned of one is not the other's.
    """
    recipe = recipe_of(file)
    scales = {"laptop": Pruning(), "smoke": Pruning(levels=2, replicates=2)}

    def build(settings: Pruning, scale: str) -> Study:
        study = _study(recipe, settings, scale)
        return replace(study, name=f"{study.name}/{Path(file).stem}")

    return Template(file, scales, build)


def explain(recipe: Recipe, *, prune: Prune | None = None, factors: tuple[Factor, ...] = FACTORS, **how: Any) -> Study:
    """A study of why pruning changes what a recipe's network does on its test examples.

    prune: what a level removes; by default 20 % of the remaining weights, smallest magnitude, global.
    factors: the parts of pruning; one of your own is another `Factor`.
    how: levels, replicates, rewind, level, size, orders, noise, as in `Pruning`.

    Networks have the seeds of replicates 0, 1, ..., not the recipe's own.

    Raises UsageError for a recipe with interventions, on a subset or with a rule that stops it; a level that cannot be
    reached, one replicate, no test examples, and size="narrower" where the network cannot be narrower.
    """
    if prune is not None and (twice := {"fraction", "score"} & how.keys()):
        raise UsageError(f"prune says what a level removes; leave {' and '.join(sorted(twice))} out")
    return _study(recipe, Pruning(**how), "", prune, factors)


def _study(
    recipe: Recipe, how: Pruning, scale: str, prune: Prune | None = None, factors: tuple[Factor, ...] = FACTORS
) -> Study:
    prune = Prune(amount=Remaining(fraction=how.fraction), score=how.score) if prune is None else prune
    if not isinstance(prune, Prune):
        raise UsageError(f"prune={prune!r} is no pruning; give a ps.Prune(...), or fraction=0.3")
    require_factors(factors)
    left = shares_left(prune.amount, how.levels)
    for problem in _problems(dense(recipe), prune, how):
        raise UsageError(problem)
    smaller, start = _smaller(recipe, left, how)
    base = with_data(recipe, label_noise=how.noise) if how.noise else recipe
    design = Design(base, prune, how, tuple(factors), smaller)
    _require_pruning(design)
    other, missing = controls(design)
    error = design.outcomes[0]
    extent = {name: getattr(how, name) for name in Pruning.model_fields if name not in ("fraction", "score")}
    asked = {"prune": prune, "factors": tuple(factor.name for factor in factors), **extent}
    claimed = claims(error.label, design.effect(error), design.parts(error))
    source = recipe.task.data.source
    data = getattr(source, "name", type(source).__name__.lower())
    levels = "1 level" if how.levels == 1 else f"{how.levels} levels"
    words = f"{recipe.task.network.path} on {data}, {levels}, {how.replicates} replicates; {_training(recipe)}"
    return Study(
        *titled(__doc__),
        settings=how if scale else Arguments(recipe=recipe, how=asked),
        scale=": ".join(filter(None, (scale, words))),
        figures=figures(design, claimed, other),
        claims=claimed,
        notes=(start, *_notes(design), *missing),
        head=partial(sentence, design),
    )


def _problems(recipe: Recipe, prune: Prune, how: Pruning) -> Iterator[str]:
    """Why events of pruning have no place in a run, or which setting would be passed over."""
    data, clock = recipe.task.data, recipe.clock()
    if data.source.test < 2:
        yield f"{data.source.test} test examples say nothing about generalization; give 2 or more, with their labels"
    if how.noise and data.label_noise:
        yield f"noise={how.noise} beside a recipe with label_noise={data.label_noise}; leave one of them out"
    if isinstance(recipe.examples, Subset):
        yield "where events of pruning lie is not known while its examples are a Subset; give a task those examples"
    if not isinstance(recipe.stop, AtEnd):
        yield f"where {recipe.stop!r} ends a run, later events of pruning would be left out; leave stop= out"
    if clock.steps(how.rewind) >= clock.total:
        yield f"rewind={how.rewind!r} leaves nothing of length={recipe.length!r} to train; give an earlier position"
    if prune.events(Clock(clock.epoch_steps, recipe.steps)) != (0,):
        yield f"a level prunes once, at its start, and {prune!r} does not; leave when= out"


def _require_pruning(design: Design) -> None:
    """Raises UsageError for factors that are not pruning all together, and for one that does nothing where given."""
    whole = design.arms(design.pruned)[0]
    if lacks := [part for part in ("replayed", "small", "disturbed", "chosen") if not getattr(whole, part)]:
        raise UsageError(
            f"all factors together are no pruning: that network is not {', '.join(lacks)}; give those of "
            "prunescope.explain.factors.FACTORS, and your own"
        )
    found: dict[str, str] = {}
    for cell in design.cells:
        name = design.name(cell)
        if (same := found.setdefault(design.recipes(cell)[0].id, name)) != name:
            raise UsageError(f"{name!r} is the same network as {same!r}; say by needs= beside what a factor acts")


def _training(recipe: Recipe) -> str:
    """How a network is trained, in words: optimizer and schedule with what they are set to, batch and length."""
    parts = []
    for part in (recipe.optimizer, recipe.schedule):
        fields = {name: getattr(part, name) for name in type(part).model_fields}
        said = ", ".join(f"{name}={value!r}" for name, value in fields.items() if value is not False)
        parts.append(f"{type(part).__name__}({said})")
    return f"trained by {' and '.join(parts)}, batches of {recipe.batch}, length {recipe.length}"


def _smaller(recipe: Recipe, left: Mapping[int, float], how: Pruning) -> tuple[Mapping[int, Network] | None, str]:
    """The narrower network by level, or None, and how a network is small from the start, in words."""
    start, why = "A network that is small from the start is", ""
    try:
        if how.size != "masks":
            narrow = f"{start} narrower; where the score chooses, it is the full one under the pruned network's mask."
            return narrower(recipe, left if how.level == "best" else {how.levels: left[how.levels]}), narrow
    except UsageError as problem:
        if how.size == "narrower":
            raise
        why = f" Not a narrower one: {str(problem).partition(';')[0]}."
    return None, f"{start} the full one under a random mask, with the pruned network's weights in each layer.{why}"


def _notes(design: Design) -> Iterator[str]:
    yield (
        f"Shares are means over {len(design.orders)} orders of the factors and {len(design.cells)} kinds of networks. "
        "Replicates are paired by seed, and what kinds have in common is trained once."
    )
    yield (
        "A part is told from chance if its two-sided p is at most 5 % after Holm's correction for all claims. "
        "Intervals are 95 % each, by themselves: one may exclude 0 though its part is not told from chance."
    )
    for factor in design.factors:
        if factor.needs:
            yield f"There is no network with {factor.name} but without {' or '.join(sorted(factor.needs))}."
    if (steps := design.base.steps) < (levels := design.how.levels):
        yield f"Without time, {levels} events of pruning share a schedule of {steps} steps, so several come at once."
    if design.how.level == "best":
        yield (
            "The level is chosen on half of the test examples by the networks of the other half of the replicates and "
            "judged on the rest, both ways; at level 0 nothing is pruned."
        )


def controls(design: Design) -> tuple[dict[str, Quantity], list[str]]:
    """Other ways to a lower error: what each changes in test error, [R], by its name; why others cannot be had."""
    error, scale = design.outcomes[0], 100.0 if design.base.task.target.decides else 1.0
    unpruned = design.value(DENSE, error)
    curves = [Trace(probe=Curve(split="test"), run=run) for run in design.dense]
    stopped = arrays(curves, "error", scale=scale, unit=error.unit).map(stopped_early)  # at others' best epoch
    found, missing = {"early stopping": stopped - unpruned}, []
    ways = {"the schedule stretched to as many steps": _stretched, "without what pruning gives up": _leave_out}
    for name, way in ways.items():
        try:
            found[name] = design.read(way(design), error) - unpruned
        except UsageError as problem:
            missing.append(f"There is no control '{name}': {problem}.")
    return found, missing


def _stretched(design: Design) -> list[Recipe]:
    """Dense networks with one schedule as long as all of the pruned network's."""
    clock = design.base.clock()
    steps = clock.total + design.how.levels * (clock.total - clock.steps(design.how.rewind))
    return [in_iterations(run, steps) for run in design.dense]


def _leave_out(design: Design) -> list[Recipe]:
    """Dense networks trained without the examples that the dense one learns and the pruned one does not."""
    design.base.task.target.require_decisions("leaving out what pruning gives up")
    found = []
    for pair in zip(design.dense, design.recipes(design.pruned), strict=True):
        inputs = tuple(Reading(measure=Examples(split="train"), state=final(run)) for run in pair)
        kept = Combined(function="prunescope.measures.combine:not_given_up", inputs=inputs)
        rule = Subset(source=kept, rule="prunescope.studies.subsets:only_where", args={"name": "kept", "is_true": True})
        found.append(in_iterations(pair[0]).replace(examples=rule))
    return found
