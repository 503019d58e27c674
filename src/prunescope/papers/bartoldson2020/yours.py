"""bartoldson2020/yours: units of any network pruned while it trains: every event, stability, recovery, flatness.

`follow` does the same for a recipe of your own: a network, data and optimizer that no setting can name.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pydantic import Field

from prunescope.base.steps import Clock
from prunescope.base.value import Value
from prunescope.measures import AdaptiveSharpness, GradientTrace, HessianTraceOrEstimate, Measure, Sample
from prunescope.papers.bartoldson import curves, views
from prunescope.papers.bartoldson.arms import Comparison, Look, arm
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import Count, Distinct
from prunescope.papers.bartoldson.statements import compares
from prunescope.papers.bartoldson.views import ANEW
from prunescope.papers.bartoldson2020 import yours_views
from prunescope.papers.bartoldson2020.flatness import SHARPNESS, TRACE_C, TRACE_H
from prunescope.papers.own import Own
from prunescope.runs.graph.families import during_training
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import find_units
from prunescope.sparsity.unit_scores import FilterNorm, UnitScore
from prunescope.studies.study import Study
from prunescope.training.epoch_probes import Limit
from prunescope.training.interventions import LayerSchedule, PruneUnits
from prunescope.training.optim import Adam, Optimizer
from prunescope.training.schedules import Constant, Schedule

QUESTION = "What does pruning these layers on this schedule do to a network of your own?"


class Settings(Own):
    """A network, its training, and how it is pruned.

    layers: which layers lose how much when; positions are durations from the start of training. targets: an arm each,
    beside no pruning. allow_idle_events: whether a layer may have more events than units. test_limit, train_limit:
    examples looked at after every epoch. recalibration: training batches behind BatchNorm statistics that are estimated
    anew around events; 0 leaves that out. flat_images: test examples for flatness; trace_probes: for Tr(H), where it is
    sampled.
    """

    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant(lr=1e-3)
    layers: tuple[LayerSchedule, ...] = Field(
        default=(
            LayerSchedule(layer="fc1", start="4ep", end="28ep", fraction=0.5, period="8ep"),
            LayerSchedule(layer="fc2", start="4ep", end="28ep", fraction=0.8, period="8ep"),
        ),
        min_length=1,
    )
    score: UnitScore = FilterNorm(order=2)
    targets: Distinct[Target] = Field(default=("smallest", "random", "largest"), min_length=1)
    allow_idle_events: bool = False
    test_limit: Limit = "all"
    train_limit: Limit = 1000
    recalibration: int = Field(default=4, ge=0)
    flat_images: Count = 256
    trace_probes: int = Field(default=100, ge=2)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(
            arguments={"inputs": 64, "hidden": [12, 8]},
            epochs=6,
            batch=200,
            share=0.3,
            layers=(LayerSchedule(layer="fc1", start="2ep", end="4ep", fraction=0.5, period="2ep"),),
            replicates=2,
            train_limit=100,
            flat_images=20,
        ),
        "laptop": Settings(),
        "paper": Settings(replicates=10),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings. Raises UsageError for layers without units, and for impossible schedules."""
    return follow(
        settings.recipe(),
        settings.layers,
        score=settings.score,
        targets=settings.targets,
        replicates=settings.replicates,
        look=Look(
            test=settings.test_limit,
            train=settings.train_limit,
            recalibration=settings.recalibration,
            units=True,
            measures=flatness(settings.flat_images, probes=settings.trace_probes),
        ),
        allow_idle_events=settings.allow_idle_events,
        settings=settings,
        scale=f"{scale}: {settings.network} on {settings.data}, {settings.epochs} epochs, "
        f"{settings.replicates} replicates",
    )


ERROR = "standard error of Tr(H)"


def flatness(images: int, *, probes: int = 100) -> dict[str, tuple[Measure, str]]:
    """Measures that any network has, on the first test examples; Tr(H) is exact where the network permits it."""
    sample = Sample(split="test", examples=images)
    trace = HessianTraceOrEstimate(sample=sample, probes=probes)
    return {
        TRACE_H: (trace, "trace"),
        ERROR: (trace, "error"),
        TRACE_C: (GradientTrace(sample=sample), "trace"),
        SHARPNESS: (AdaptiveSharpness(sample=sample), "worst"),
    }


def follow(
    recipe: Recipe,
    layers: Sequence[LayerSchedule],
    *,
    score: UnitScore | None = None,
    targets: Sequence[Target] = ("smallest", "random", "largest"),
    replicates: int = 3,
    look: Look | None = None,
    allow_idle_events: bool = False,
    settings: Value | None = None,
    scale: str = "",
    name: str = "bartoldson2020/yours",
) -> Study:
    """A study of any recipe: its units pruned on these schedules, an arm a target, beside the recipe itself.

    look: what is looked at in each run; by default all test examples after every epoch and three measures of
    flatness on 256 of them. allow_idle_events: whether a layer may have more events than units. settings: what the
    report shows as such; by default the recipe.

    Raises UsageError for layers that are not there, and for schedules that the run or a layer cannot have.

    Put `SCALES` and `build` into a file of your own and return this from `build`, to run it from the command line.
    """
    cuts = {
        f"Prune, {target}": PruneUnits(
            layers=tuple(layers),
            score=score or FilterNorm(order=2),
            target=target,
            allow_idle_events=allow_idle_events,
        )
        for target in targets
    }
    _check(recipe, cuts.values())
    arms = [arm(NONE, recipe, replicates)]
    arms += [arm(label, during_training(recipe, cut), replicates) for label, cut in cuts.items()]
    seen = look or Look(train=1000, recalibration=4, units=True, measures=flatness(256))
    comparison = Comparison(tuple(arms), look=seen)
    panels = {"": comparison}
    pruned = tuple(cuts)
    scatters = [
        views.scatter(
            panels, "mean_stability", quantity, name=f"stability-{tag}", title=f"Stability and {what}"
        )
        for tag, quantity, what in (
            ("accuracy", "best", "best accuracy"),
            *((f"flatness-{i}", label, label) for i, label in enumerate(seen.measures) if label != ERROR),
        )
    ]
    by_parameter = [
        curves.by_layer(comparison, label, name=f"layers-{tag}", title=f"{label} by parameter")
        for tag, label in (("h", TRACE_H), ("c", TRACE_C))
        if label in seen.measures
    ]
    return Study(
        name,
        QUESTION,
        settings=settings or recipe,
        scale=scale,
        nodes=comparison.nodes,
        figures=(
            views.dynamics(panels, name="accuracy", title="Test accuracy during training"),
            yours_views.events(comparison),
            *scatters,
            *(
                [yours_views.traces(comparison, TRACE_H, ERROR)]
                if {TRACE_H, ERROR} <= seen.measures.keys()
                else []
            ),
            *by_parameter,
            views.means(
                panels,
                ("test", "best", "mean_stability", "recovery", "recovered", *seen.measures),
                name="means",
                title="Means of every arm",
            ),
        ),
        claims=tuple(
            compares(
                comparison,
                f"helps-{target}",
                f"Pruning the {target} units raises the test accuracy at the end.",
                arm=label,
                over=NONE,
                quantity="test",
                basis="proposed",
                place="",
                preconditions=(),
            )
            for label, target in zip(pruned, targets, strict=True)
        ),
        notes=(
            "Stability is t_post / t_pre in percent, of test accuracy just before and just after an event, with the "
            "running statistics of normalization as they are"
            + (f"; beside it stands the same {ANEW}." if seen.recalibration else "."),
        ),
    )


def _check(recipe: Recipe, cuts: Iterable[PruneUnits]) -> None:
    """Refuses before anything runs what the first run would refuse."""
    structure = find_units(recipe.task.network.build())
    clock = Clock(recipe.clock().epoch_steps, recipe.steps)
    for cut in cuts:
        cut.events(clock)
        cut.check(clock, lambda: structure)
