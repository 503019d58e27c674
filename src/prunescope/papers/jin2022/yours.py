"""jin2022/yours: what pruning does to a network of your own, and to whom: groups of examples, classes, single images.

`follow` does the same for a recipe of your own: a network, data and optimizer that no setting can name.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic import Field

from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.measures import Labels
from prunescope.papers.jin2022 import classes, fitting, given_up, optimum, statements, views
from prunescope.papers.jin2022.arms import Arm, Benchmark, noise_name
from prunescope.papers.jin2022.harm import no_more_than_by_chance
from prunescope.papers.jin2022.sizes import PAPER, Count, Noises, from_zero
from prunescope.papers.jin2022.statements import POINTS
from prunescope.papers.jin2022.subgroups import Subgroups, sparsity_figure
from prunescope.papers.own import Own
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Remaining
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure, Lines, Plot, Sheet, Table
from prunescope.studies.region import Direction
from prunescope.studies.results import Results
from prunescope.studies.study import Study
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.schedules import Constant, Schedule

QUESTION = "What does pruning do to a network of your own, and to whom?"
ARMS: tuple[Arm, ...] = ("pruned", "extended")
PROPOSED = "proposed here, for any network"


class Settings(Own):
    """A network, its training, and how far it is pruned.

    noises: shares of wrong training
    labels that are added, ascending from 0. levels: of pruning; each removes a fraction of the weights that remain, and
    trains again from `rewind` on. ensemble: networks behind an EL2N score, each trained for `early`. groups: of
    training examples, by EL2N.
    """

    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant(lr=0.1)
    noises: Noises = (0.0,)
    fraction: float = Field(default=0.2, gt=0, lt=1)
    levels: Count = 12
    rewind: Duration = "0it"
    ensemble: Count = 10
    early: Duration = "2ep"
    groups: int = Field(default=20, ge=5)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
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
        ),
        "laptop": Settings(),
        "paper": Settings(replicates=10),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    return follow(
        settings.recipe(),
        levels=settings.levels,
        prune=Prune(amount=Remaining(fraction=settings.fraction)),
        rewind=settings.rewind,
        noises=settings.noises,
        replicates=settings.replicates,
        ensemble=settings.ensemble,
        early=settings.early,
        groups=settings.groups,
        images=True,
        settings=settings,
        scale=f"{scale}: {settings.network} on {settings.data}, {settings.levels} levels of {settings.epochs} epochs, "
        f"{settings.replicates} replicates",
    )


def follow(
    recipe: Recipe,
    *,
    levels: int = 12,
    prune: Prune | None = None,
    rewind: Duration = "0it",
    noises: Sequence[float] = (0.0,),
    replicates: int = 3,
    ensemble: int = 10,
    early: Duration = "2ep",
    groups: int = 20,
    images: bool = False,
    settings: Value | None = None,
    scale: str = "",
    name: str = "jin2022/yours",
) -> Study:
    """A study of any classifier: its recipe pruned level by level, beside the same training without removal.

    prune: what a level removes; by default 20 % of the remaining weights, smallest magnitude, global. rewind: where the
    schedule starts again at every level. noises: shares of wrong labels that are added, ascending from 0. ensemble:
    networks behind an EL2N score, each trained for `early` on the recipe's schedule. groups: of training examples, by
    EL2N. images: whether examples are images, to be shown. settings: what the report shows as such; by default the
    recipe.

    Raises UsageError for noise levels that do not ascend from 0, and for more groups than training examples.

    Put `SCALES` and `build` into a file of your own and return this from `build`, to run it from the command line.
    """
    from_zero("noises", noises)
    bench = Benchmark(
        base=recipe,
        noises=tuple(noises),
        replicates=replicates,
        levels=levels,
        width_levels=0,
        rewind=rewind,
        prune=prune or Prune(amount=Remaining(fraction=0.2)),
    )
    sub = Subgroups(bench, recipe.schedule, early, ensemble, groups)
    lists = [_given_up(bench, noise, images=images) for noise in noises]
    return Study(
        name,
        QUESTION,
        settings=settings or recipe,
        scale=scale,
        paper=f"After {PAPER}",
        nodes=[*bench.nodes_of(*ARMS), *_readings(bench, sub)],
        figures=(
            views.error_figure(bench, arms=ARMS),
            *(_groups(sub, noise) for noise in noises),
            classes.figure(bench, ARMS),
            *(figure for figures in lists for figure in figures),
            *(
                views.fit_figure(bench, noise, arms=ARMS, name=f"fit-{_tag(noise)}")
                for noise in statements.noisy(bench)
            ),
        ),
        cautions=statements.optima_inside(bench, *ARMS),
        claims=(
            *(claim(bench, noise) for noise in noises for claim in (_helps, _beats_longer_training)),
            _no_class_is_harmed(bench),
            fitting.better_training(bench),
        ),
        notes=(
            "The optimum of the claims is chosen on one half of the test set and judged on the other, both ways.",
            "The paper asks this of dense networks that fit their training set; whether yours does is in the data.",
        ),
    )


def _tag(noise: float) -> str:
    return f"{100 * noise:g}"


def _groups(sub: Subgroups, noise: float) -> Figure:
    return sparsity_figure(
        sub,
        noise,
        ARMS,
        name=f"groups-{_tag(noise)}",
        title=f"Whose training loss changes: groups by EL2N, {noise_name(noise)}",
    )


def _readings(bench: Benchmark, sub: Subgroups) -> list[Value]:
    """What is needed beside the errors: halves of the test set, classes, groups, and the examples given up."""
    groups = [
        node
        for noise in bench.noises
        for arm in ARMS
        for level in range(1, bench.depth(arm, noise) + 1)
        for node in sub.at_level(arm, noise, level)
    ]
    told = [_told(bench, noise) for noise in bench.noises]
    return [*(point.halves for point in bench.points), *classes.readings(bench, ARMS), *groups, *told]


def _told(bench: Benchmark, noise: float) -> Reading:
    dense = bench.row("dense", noise, 0)[given_up.SHOWN]
    return Reading(measure=Labels(split="train"), state=final(dense.recipe))


def _given_up(bench: Benchmark, noise: float, *, images: bool) -> list[Figure]:
    """The training examples whose loss rises most from the dense network to the sparsest one, as a list and a sheet."""
    dense, last = (
        bench.row(arm, noise, bench.depth(arm, noise))[given_up.SHOWN] for arm in ("dense", "pruned")
    )

    def table(results: Results) -> Table:
        seen = results[last.examples]
        gain = results[dense.examples]["loss"] - seen["loss"]
        return given_up.first_given_up(noise_name(noise), gain, told=results[_told(bench, noise)], seen=seen)

    caption = (
        "Training examples in order of how much their loss rises from the dense network to the one after "
        f"{bench.levels} levels of pruning, first replicate. Labels that are wrong tend to be among them, and examples "
        "that only a large network can fit."
    )
    lineage = {"dense": [dense.recipe], "pruned": [last.recipe]}
    plots: dict[str, Plot] = {
        "given-up": Lines("rank", "loss_rise", series="panel", x_label="rank", y_label="rise in loss, nats")
    }
    if images:
        plots["given-up-images"] = Sheet(bench.base.task.data.source)
    return [
        Figure(
            f"{kind}-{_tag(noise)}",
            f"The {given_up.FIRST} training examples that pruning gives up first, {noise_name(noise)}",
            caption=caption,
            table=table,
            plot=plot,
            lineage=lineage,
        )
        for kind, plot in plots.items()
    ]


def _helps(bench: Benchmark, noise: float) -> Claim:
    return Claim(
        f"helps-{_tag(noise)}",
        f"At {noise_name(noise)}, pruning at its best level has a lower test error than the dense network.",
        basis="proposed",
        place=PROPOSED,
        region=Direction("greater"),
        sample=lambda r: optimum.dense_at_end(bench, r, noise) - optimum.cross_fitted(bench, r, noise),
        unit=f"{POINTS} of test error, dense minus pruned",
    )


def _beats_longer_training(bench: Benchmark, noise: float) -> Claim:
    return Claim(
        f"beats-longer-training-{_tag(noise)}",
        f"At {noise_name(noise)}, pruning at its best level has a lower test error than training longer at its best.",
        basis="proposed",
        place=PROPOSED,
        region=Direction("greater"),
        sample=lambda r: (
            optimum.cross_fitted(bench, r, noise, arm="extended") - optimum.cross_fitted(bench, r, noise)
        ),
        unit=f"{POINTS} of test error, extended minus pruned",
    )


def _no_class_is_harmed(bench: Benchmark) -> Claim:
    return Claim(
        "no-class-is-harmed",
        f"After {bench.levels} levels no more classes have lost {classes.MARGIN:g} points than by chance.",
        basis="proposed",
        place=PROPOSED,
        region=no_more_than_by_chance(bench.replicates, margin=classes.MARGIN),
        sample=lambda r: classes.changes(bench, r, "pruned", bench.levels),
        unit="share of classes not harmed",
    )
