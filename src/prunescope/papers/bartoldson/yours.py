"""bartoldson2020/yours: What does pruning these layers on this schedule do to a network of your own?

Units of any network pruned while it trains: every event, stability, recovery, flatness. `follow` does the same for a
recipe of your own: a network, data and optimizer that no setting can name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from pydantic import Field

import prunescope as ps
from prunescope.base.steps import Clock
from prunescope.measures import AdaptiveSharpness, GradientTrace, HessianTraceOrEstimate, Sample
from prunescope.papers.bartoldson import figures
from prunescope.papers.bartoldson.arms import L2, NONE
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.comparison import Comparison, arm
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_C, TRACE_H, by_layer, names_of
from prunescope.papers.bartoldson.paper import Figures
from prunescope.papers.bartoldson.quantities import ANEW, Measured, Observables, over_epochs
from prunescope.papers.bartoldson.scales import Count, Distinct
from prunescope.papers.whom import of_whom, on_test
from prunescope.sparsity.select import Target
from prunescope.sparsity.structure import Structure
from prunescope.studies.events import Epochs
from prunescope.studies.own import Arguments, Own
from prunescope.tasks.model import Model
from prunescope.training.probes import Limit

COST = {"smoke": "a minute or less", "laptop": "20 minutes", "paper": "20 minutes"}
FIGURE = "none: any network"
ERROR = "standard error of Tr(H)"
EVERY = "*"
"""Instead of a layer's name: every layer with units that has no schedule of its own."""


class Settings(Own):
    """A network, its training, and how it is pruned.

    layers: which layers lose how much when; positions are durations from the start of training. "*" stands for every
        layer with units that is not named, which is also what a network other than the default one gets. Other
        `epochs` alone stretch them.
    score: of units, by which the largest or smallest are pruned.
    targets: which units are pruned, one arm each, beside no pruning.
    allow_idle_events: whether a layer may have more events than units.
    test_limit, train_limit: examples that accuracy is measured on after every epoch.
    recalibration: training batches behind BatchNorm statistics estimated anew around events; 0 leaves that out.
    flat_images: test examples for flatness.
    trace_probes: for Tr(H), where it is sampled.
    """

    optimizer: ps.Optimizer = ps.Adam()
    schedule: ps.Schedule = ps.Constant(lr=1e-3)
    layers: tuple[ps.LayerSchedule, ...] = Field(
        default=(
            ps.LayerSchedule(layer="fc1", start="4ep", end="28ep", fraction=0.5, period="8ep"),
            ps.LayerSchedule(layer="fc2", start="4ep", end="28ep", fraction=0.8, period="8ep"),
        ),
        min_length=1,
    )
    score: ps.UnitScore = L2
    targets: Distinct[Target] = Field(default=("smallest", "random", "largest"), min_length=1)
    allow_idle_events: bool = False
    test_limit: Limit = "all"
    train_limit: Limit = 1000
    recalibration: int = Field(default=4, ge=0)
    flat_images: Count = 256
    trace_probes: int = Field(default=100, ge=2)

    def replace(self, **changes: Any) -> Self:
        """See `Own.replace`; the layers of the default network are not asked of another one, and the schedule of
        pruning keeps its share of the training.
        """
        new = super().replace(**changes)
        if "layers" in changes or (new.network, new.epochs) == (self.network, self.epochs):
            return new
        layers = self.layers if new.network == self.network else (self.layers[0].replace(layer=EVERY),)
        return new.replace(layers=tuple(_stretched(layer, new.epochs / self.epochs) for layer in layers))


def _stretched(layer: ps.LayerSchedule, factor: float) -> ps.LayerSchedule:
    """The same schedule in a training that is `factor` times as long; what is in epochs follows."""
    places = {name: getattr(layer, name) for name in ("start", "end", "period")}
    epochs = {name: float(text.removesuffix("ep")) for name, text in places.items() if text.endswith("ep")}
    return layer.replace(**{name: f"{round(factor * number, 4):.10g}ep" for name, number in epochs.items()})


SCALES: Mapping[str, Settings] = {
    "smoke": Settings(
        arguments={"inputs": 64, "hidden": [12, 8]},
        epochs=6,
        batch=200,
        share=0.3,
        layers=(ps.LayerSchedule(layer="fc1", start="2ep", end="4ep", fraction=0.5, period="2ep"),),
        replicates=2,
        train_limit=100,
        flat_images=20,
    ),
    "laptop": Settings(),
    "paper": Settings(replicates=10),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings. Raises UsageError for layers without units, and for impossible schedules."""
    size = f"{settings.network} on {settings.data}, {settings.epochs} epochs, {settings.replicates} replicates"
    return follow(
        settings.recipe(),
        settings.layers,
        score=settings.score,
        targets=settings.targets,
        replicates=settings.replicates,
        observables=Observables(
            test=settings.test_limit,
            train=settings.train_limit,
            recalibration=settings.recalibration,
            measures=flatness(settings.flat_images, probes=settings.trace_probes),
        ),
        allow_idle_events=settings.allow_idle_events,
        settings=settings,
        scale=f"{scale}: {size}",
    )


def flatness(images: int, *, probes: int = 100) -> dict[str, Measured]:
    """Measures that any network has, on the first test examples; Tr(H) is exact where the network permits it."""
    sample = Sample(split="test", examples=images)
    trace = HessianTraceOrEstimate(sample=sample, probes=probes)
    return {
        TRACE_H: Measured("trace", (trace,)),
        ERROR: Measured("error", (trace,)),
        TRACE_C: Measured("trace", (GradientTrace(sample=sample),)),
        SHARPNESS: Measured("worst", (AdaptiveSharpness(sample=sample),)),
    }


def follow(
    recipe: ps.Recipe,
    layers: Sequence[ps.LayerSchedule],
    *,
    score: ps.UnitScore = L2,
    targets: Sequence[Target] = ("smallest", "random", "largest"),
    replicates: int = 3,
    observables: Observables | None = None,
    allow_idle_events: bool = False,
    settings: ps.Value | None = None,
    scale: str = "",
    name: str = "bartoldson2020/yours",
) -> ps.Study:
    """A study of any recipe: its units pruned on these schedules, an arm a target, beside the recipe itself.

    observables: what is measured in each run; by default accuracy on all test examples and 1000 training examples after
        every epoch, and three measures of flatness on 256 test examples, or all there are.
    allow_idle_events: whether a layer may have more events than units.
    settings: what the report shows as such, and claims are registered by; by default these arguments.

    Raises UsageError for layers that are not there, and for schedules that the run or a layer cannot have.

    Put `SCALES` and `build` into a file of your own and return this from `build`, to run it from the command line.
    """
    recipe.task.target.require_shares("the study bartoldson2020/yours")
    example = recipe.task.data.source.load().train_x.take(torch.arange(2))
    structure = Model(recipe.task.network, example).structure
    cuts = {
        f"Prune, {target}": ps.PruneUnits(
            layers=_named(layers, structure), score=score, target=target, allow_idle_events=allow_idle_events
        )
        for target in targets
    }
    _check(recipe, cuts.values(), structure)
    made = [arm(label, ps.during_training(recipe, cut), replicates) for label, cut in cuts.items()]
    observables = observables or Observables(train=1000, recalibration=4, measures=flatness(256))
    how = {"layers": tuple(layers), "score": score, "targets": tuple(targets), "replicates": replicates}
    how |= {"observables": asdict(observables), "allow_idle_events": allow_idle_events}
    runs = Comparison((arm(NONE, recipe, replicates), *made), observables=observables)
    anew = f"; beside it stands the same {ANEW}." if observables.recalibration else "."
    return ps.Study(
        name,
        ps.titled(__doc__)[1],
        settings=settings or Arguments(recipe=recipe, how=how),
        scale=scale,
        figures=tuple(_figures(runs, targets)),
        notes=(
            "Stability is t_post / t_pre in percent, of test accuracy just before and just after an event, with the "
            f"running statistics of normalization as they are{anew}",
            *_short_samples(recipe, observables),
        ),
    )


def _short_samples(recipe: ps.Recipe, observables: Observables) -> Iterator[str]:
    """A sentence for measures that look at fewer test examples than was asked for."""
    there = recipe.task.data.source.test
    samples = [getattr(m, "sample", None) for part in observables.measures.values() for m in part.measures]
    wanted = {s.examples for s in samples if s is not None and s.split == "test" and s.examples != "all"}
    if more := [number for number in wanted if number > there]:
        yield f"Flatness is measured on all {there} test examples that there are; {max(more)} were asked for."


def _figures(runs: Comparison, targets: Sequence[Target]) -> Figures:
    panels, measures = {"": runs}, runs.observables.measures
    yield figures.dynamics("accuracy", "Test accuracy during training", panels)
    yield events(runs)
    x = "mean_stability"
    yield figures.scatter("stability-accuracy", "Stability and best accuracy", panels, x, "best")
    for number, measure in enumerate(measures):
        if measure != ERROR:
            yield figures.scatter(f"stability-flatness-{number}", f"Stability and {measure}", panels, x, measure)
    if {TRACE_H, ERROR} <= measures.keys():
        yield traces(runs)
    for tag, measure in (("h", TRACE_H), ("c", TRACE_C)):
        if measure in measures:
            yield by_layer(f"layers-{tag}", f"{measure} by parameter", runs, measure)
    says, claims = Says("", "proposed"), []
    for name, target in zip(runs.pruned.names, targets, strict=True):
        what, gap = f"Pruning the {target} units raises the test accuracy at the end.", runs.gap(name, NONE, "test")
        claims.append(says(f"helps-{target}", what, gap, MORE, needs=()))
    numbers = ("test", "best", "train_at_best", x, "recovery", "recovered", *measures)
    yield figures.means("means", "Means of every arm", panels, numbers, claims)
    yield from of_whom(runs.recipes(NONE), {name: on_test(runs.recipes(name)) for name in runs.pruned.names})


def _named(layers: Sequence[ps.LayerSchedule], structure: Structure) -> tuple[ps.LayerSchedule, ...]:
    """The schedules of single layers, "*" spelled out. Raises UsageError where no layer is left for it."""
    own = {schedule.layer for schedule in layers}
    others = [name for name in structure.units if name not in own]
    if EVERY in own and not others:
        raise ps.UsageError(f"no layer has units that can be removed: {dict(structure.others) or 'there is no layer'}")
    spelled = [[s.replace(layer=name) for name in others] if s.layer == EVERY else [s] for s in layers]
    return tuple(schedule for part in spelled for schedule in part)


def _check(recipe: ps.Recipe, cuts: Iterable[ps.PruneUnits], structure: Structure) -> None:
    """Refuses before anything runs what the first run would refuse."""
    clock = Clock(recipe.clock().epoch_steps, recipe.steps)
    for cut in cuts:
        cut.events(clock)
        cut.check(clock, lambda: structure)


def traces(runs: Comparison) -> ps.Figure:
    """Tr(H) of every run with two standard errors; a run without an interval has the exact trace."""

    def rows(arm: str) -> ps.Rows:
        trace, error = runs.value(arm, TRACE_H), runs.value(arm, ERROR)
        low, high = (ps.combined(lambda value, off, side=side: value + side * off, trace, error) for side in (-2, 2))
        return ps.Rows({}, {"run": names_of(trace), "trace": trace, "error": error, "low": low, "high": high})

    return ps.Figure(
        "traces",
        f"{TRACE_H} of every run",
        caption="Exact where the network permits it; sampled otherwise, with two standard errors to each side.",
        rows=[rows(arm) for arm in runs.names],
        plot=ps.Intervals("run", "trace", "low", "high", x_label=TRACE_H),
    )


def events(runs: Comparison) -> ps.Figure:
    """Stability and recovery of every event; the accuracies before and after it are columns of the table.

    Beside them the same with BatchNorm statistics estimated anew, if that is measured.
    """
    also = f", also {ANEW}" if runs.observables.recalibration else ""
    return ps.Figure(
        "events",
        "Every event: stability, and epochs until accuracy is back",
        caption="An event without recovery has no point. Accuracies before and after every event are in the "
        f"table{also}.",
        rows=[row for arm in runs.pruned.names for row in _events(runs, arm)],
        plot=figures.over_runs("epoch", "value", "epoch", "", share_y=False),
    )


def _events(runs: Comparison, arm: str) -> list[ps.Rows]:
    """The events of an arm [R, events], a panel for each of their numbers."""
    observables, recipes = runs.observables, runs.recipes(arm)

    def of_events(part: str, traces: Sequence[ps.Trace]) -> ps.Quantity:
        return over_epochs(lambda table: getattr(table, part)[table.event], traces)

    test = [observables.accuracy(run) for run in recipes]
    columns = {part: of_events(part, test) for part in ("epoch", "before", "after")}
    panels = {"stability, %": over_epochs(Epochs.stability, test)}
    if observables.recalibration:
        anew = [observables.recalibrated(run) for run in recipes]
        columns |= {f"recalibrated_{part}": of_events(part, anew) for part in ("before", "after")}
        panels[f"stability {ANEW}, %"] = over_epochs(Epochs.stability, anew)
    panels["epochs until recovery"] = over_epochs(Epochs.recovery, test)
    return [ps.Rows({"arm": arm, "panel": panel}, {**columns, "value": value}) for panel, value in panels.items()]
