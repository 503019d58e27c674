"""jin2022/yours: What does pruning do to a network of your own, and to whom?

To whom: groups of examples, classes, single images. `follow` asks the same of a recipe of your own: a network, data and
optimizer that no setting can name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

import prunescope as ps
from prunescope.base.errors import DataError
from prunescope.papers.jin2022 import PAPERS, classes
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.claims import MORE, no_more_than_by_chance
from prunescope.papers.jin2022.fig2 import better_training
from prunescope.papers.jin2022.figures import error_figure, fit_figure
from prunescope.papers.jin2022.optimum import cross_fitted
from prunescope.papers.jin2022.quantities import dense, optima_inside
from prunescope.papers.jin2022.scales import Count, Noises
from prunescope.papers.jin2022.settings import from_zero
from prunescope.papers.jin2022.subgroups import Subgroups, sparsity_figure
from prunescope.papers.jin2022.suspects import Suspects
from prunescope.papers.readings import noise_name
from prunescope.studies.own import Arguments, Own
from prunescope.tasks.data.source import are_images

COST = {"smoke": "20 seconds", "laptop": "3 minutes on 2 cores for digits", "paper": "10 minutes on 2 cores for digits"}
FIGURE = "none: any network (-s network=my_module:Net)"
ARMS: tuple[Arm, ...] = ("pruned", "extended")
PROPOSED = "for any network"


class Settings(Own):
    """A network, its training, and how far it is pruned.

    noises: shares of wrong training labels that are added, ascending from 0.
    fraction: of the remaining weights that a level removes.
    score: the value of a weight.
    levels: of pruning.
    rewind: where the schedule starts again at every level.
    ensemble: networks behind an EL2N score.
    early: how long each of them is trained.
    groups: of training examples, by EL2N.
    folds: parts of the training examples, each of which is judged by a dense network that was trained without it.
    fits: training accuracy, percent, from which the dense network without label noise counts as fitting.
    """

    added: ClassVar[frozenset[str]] = Own.added | {"score"}

    optimizer: ps.Optimizer = ps.SGD()
    schedule: ps.Schedule = ps.Constant(lr=0.1)
    noises: Noises = (0.0,)
    fraction: float = Field(default=0.2, gt=0, lt=1)
    score: ps.Score = ps.Magnitude()
    levels: Count = 12
    rewind: ps.Duration = "0it"
    ensemble: Count = 10
    early: ps.Duration = "2ep"
    groups: int = Field(default=20, ge=5)
    folds: int = Field(default=5, ge=2)
    fits: float = Field(default=99.0, ge=0, le=100)


SCALES: Mapping[str, Settings] = {
    "smoke": Settings(
        arguments={"inputs": 64, "hidden": [16, 12]},
        share=0.2,
        epochs=2,
        noises=(0.0, 0.2),
        levels=2,
        replicates=2,
        ensemble=2,
        early="1ep",
        groups=5,
        folds=2,
    ),
    "laptop": Settings(),
    "paper": Settings(replicates=10),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    words = f"{settings.levels} levels of {settings.epochs} epochs, {settings.replicates} replicates"
    shared = "levels rewind noises replicates ensemble early groups folds fits"
    changes: dict[str, Any] = {name: getattr(settings, name) for name in shared.split()}
    return follow(
        settings.recipe(),
        prune=ps.Prune(amount=ps.Remaining(fraction=settings.fraction), score=settings.score),
        settings=settings,
        scale=f"{scale}: {settings.network} on {settings.data}, {words}",
        **changes,
    )


def _are_shown(task: ps.Task) -> bool:
    """Whether examples can be shown: [1 or 3, height, width]. What has to be downloaded first is images."""
    try:
        shape = task.data.source.load().train_x.shape
    except DataError:
        return True
    return task.network.layout is None and are_images(shape)


def follow(
    recipe: ps.Recipe,
    *,
    levels: int = 12,
    prune: ps.Prune | None = None,
    rewind: ps.Duration = "0it",
    noises: Sequence[float] = (0.0,),
    replicates: int = 3,
    ensemble: int = 10,
    early: ps.Duration = "2ep",
    groups: int = 20,
    folds: int = 5,
    fits: float = 99.0,
    settings: ps.Value | None = None,
    scale: str = "",
    name: str = "jin2022/yours",
) -> ps.Study:
    """A study of any classifier: its recipe pruned level by level, beside the same training without removal.

    levels, rewind, noises, ensemble, early, groups, folds, fits: as in `Settings`; early is on the recipe's schedule.
    prune: what a level removes; by default 20 % of the remaining weights, smallest magnitude, global.
    settings: what the report shows as such, and claims are registered by; by default these arguments.

    Raises UsageError for noise levels that do not ascend from 0 or change no label, for more groups or folds than
    training examples, and for a test set of one example.

    Put `SCALES` and `build` into a file of your own and return this from `build`, to run it from the command line.
    """
    recipe.task.target.require_shares("the study jin2022/yours")
    from_zero("noises", noises)
    _check_sizes(recipe, noises, folds)
    prune = prune or ps.Prune(amount=ps.Remaining(fraction=0.2))
    how = {"prune": prune, "levels": levels, "rewind": rewind, "noises": tuple(noises), "replicates": replicates}
    how |= {"ensemble": ensemble, "early": early, "groups": groups, "folds": folds, "fits": fits}
    Settings(**{name: value for name, value in how.items() if name != "prune"})  # whose bounds hold here, too
    bench = Benchmark(
        base=recipe,
        noises=tuple(noises),
        replicates=replicates,
        levels=levels,
        rewind=rewind,
        prune=prune,
        fits=fits,
    )
    sub = Subgroups(bench, recipe.schedule, early, ensemble, groups)
    figures = [error_figure(bench, arms=ARMS, claims=[c for noise in noises for c in _at_best(bench, noise)])]
    for noise in noises:
        title = f"Whose training loss changes: groups by EL2N, {noise_name(noise)}"
        figures.append(sparsity_figure(sub, noise, ARMS, f"groups-{100 * noise:g}", title))
    figures.append(classes.figure(bench, ARMS, claims=[_no_class_is_harmed(bench)]))
    figures += classes.named_figures(bench)
    images = _are_shown(recipe.task)
    for noise in noises:
        figures += Suspects(bench, noise, folds).figures(images=images)
    figures += [fit_figure(bench, noise, arms=ARMS, name=f"fit-{100 * noise:g}") for noise in bench.noisy()]
    return ps.Study(
        name,
        ps.titled(__doc__)[1],
        settings=settings or Arguments(recipe=recipe, how=how),
        scale=scale,
        paper=f"After {PAPERS['jin2022']}",
        figures=tuple(figures),
        cautions=optima_inside(bench, *ARMS),
        claims=(better_training(bench),),
        notes=(
            "The optimum of the claims is chosen on one half of the test set by the other replicates, and judged on "
            "the other half, both ways.",
            "The paper asks this of dense networks that fit their training set; whether yours does is in the data.",
            "A wrong label is more likely where a network that was not trained on the example finds it improbable; "
            "how often each of the two lists is right can only be said where labels were changed on purpose (noises).",
        ),
    )


def _check_sizes(recipe: ps.Recipe, noises: Sequence[float], folds: int) -> None:
    """Refuses before anything runs what could not be shown after everything ran."""
    examples, tests = recipe.train_examples, recipe.task.data.source.test
    if isinstance(recipe.examples, ps.Subset):
        raise ps.UsageError("groups of a Subset are no groups of the task's examples; give a task those examples")
    for noise in noises:
        if noise > 0 and round(noise * examples) < 1:
            raise ps.UsageError(
                f"noise {noise:g} of {examples} training examples changes no label; give at least {1 / examples:.2g}"
            )
    if not 2 <= folds <= examples:
        raise ps.UsageError(f"folds={folds} of {examples} training examples; give 2 to that many")
    if tests < 2:
        raise ps.UsageError(
            f"{tests} test example cannot be halved into one that chooses the level and one that judges; give 2 or more"
        )


def _at_best(bench: Benchmark, noise: float) -> Iterator[ps.Claim]:
    pruned, longer = cross_fitted(bench, noise), cross_fitted(bench, noise, "extended")
    end, better = f"-{100 * noise:g}", f"At {noise_name(noise)}, pruning at its best level has a lower test error than"
    yield ps.Claim(f"helps{end}", f"{better} the dense network.", dense(bench, noise) - pruned, MORE, place=PROPOSED)
    text = f"{better} training longer at its best."
    yield ps.Claim(f"beats-longer-training{end}", text, longer - pruned, MORE, place=PROPOSED)


def _no_class_is_harmed(bench: Benchmark) -> ps.Claim:
    text = f"After {bench.levels} levels no more classes have lost {classes.MARGIN:g} points than by chance."
    changes = classes.tested(classes.changes(bench, "pruned", bench.levels)).named(unit="share of classes not harmed")
    region = no_more_than_by_chance(bench.replicates, margin=classes.MARGIN)
    return ps.Claim("no-class-is-harmed", text, changes, region, place=PROPOSED)
