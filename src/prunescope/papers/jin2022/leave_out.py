"""Leave-subgroup-out retraining: dense networks trained without the examples that pruning affected.

Belongs here: the runs and how they are drawn. Does not belong here: which examples (`studies/subsets.py`), the
questions (`app_d.py`, `app_e.py`, `app_k.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.base.value import Value
from prunescope.measures import Examples, Risk
from prunescope.papers.jin2022.arms import Benchmark, Numbers, Rule
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Chosen, Combined, Reading
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.results import Results, column
from prunescope.training.schedules import Constant, Milestones, Schedule, Warmup


@dataclass(frozen=True)
class Keep:
    """Which examples a retrained network sees.

    by: "gain", the loss of the dense network minus that of the sparse one, [N] as "difference"; or "sparse", all that
    `Examples` says of the sparse network. rule: a function of `studies/subsets.py`. drawn: whether it takes a seed.
    """

    series: str
    by: str
    rule: str
    args: Mapping[str, float | str | bool] = field(default_factory=dict)
    drawn: bool = False


@dataclass(frozen=True)
class LeaveOut:
    """Dense networks retrained without some examples, beside the sparse network that chose them.

    rule: the level at which the sparse network is taken. Every network of a panel takes as many steps as the dense
    one, at the same learning rates, whatever the number of examples.
    """

    bench: Benchmark
    panel: str
    noise: float
    rule: Rule
    keeps: tuple[Keep, ...]

    @cached_property
    def sparse(self) -> list[Chosen]:
        """The sparse network of each replicate."""
        return self.bench.chosen("pruned", self.noise, rule=self.rule)

    @cached_property
    def gains(self) -> list[Combined]:
        """Training loss of the dense minus that of the sparse network, one a replicate: {"difference": [N]}."""
        dense = self.bench.row("dense", self.noise, 0)
        return [
            Combined(
                function="prunescope.measures.combine:difference", inputs=(point.examples, examples(run))
            )
            for point, run in zip(dense, self.sparse, strict=True)
        ]

    def recipes(self, keep: Keep) -> list[Recipe]:
        """The retrained networks, one a replicate, with the seeds of the dense ones."""
        dense = self.bench.row("dense", self.noise, 0)
        sources: Sequence[Value] = self.gains if keep.by == "gain" else [examples(run) for run in self.sparse]
        return [
            in_iterations(point.recipe).replace(
                examples=Subset(
                    source=source,
                    rule=f"prunescope.studies.subsets:{keep.rule}",
                    args={**keep.args, **({"seed": point.replicate} if keep.drawn else {})},
                )
            )
            for point, source in zip(dense, sources, strict=True)
        ]

    def tests(self, keep: Keep) -> list[Reading]:
        """Their test errors."""
        return [test_risk(run) for run in self.recipes(keep)]

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        own: Iterable[Value] = (node for keep in self.keeps for node in self.tests(keep))
        needed = self.bench.nodes_of("pruned", noises=(self.noise,))
        return [*needed, *(test_risk(run) for run in self.sparse), *self.gains, *own]

    def errors(self, results: Results, keep: Keep) -> Numbers:
        """Test errors in percent, [replicates]."""
        return 100 * column(results, self.tests(keep), name="error")

    def is_sparse(self, results: Results) -> bool:
        """Whether the rule picks a pruned network; the dense one leaves nothing out that means anything."""
        return self.bench.best_level(results, "pruned", self.noise, rule=self.rule) > 0

    def rows(self, results: Results) -> list[dict[str, object]]:
        """The rows of a figure: dense, pruned, and every retrained network; none if no pruned network is picked."""
        if not self.is_sparse(results):
            return []
        level = self.bench.best_level(results, "pruned", self.noise, rule=self.rule)
        x = self.bench.remaining(results, self.bench.row("pruned", self.noise, level)[0])
        series = {
            "dense": [point.test for point in self.bench.row("dense", self.noise, 0)],
            "pruned": [test_risk(run) for run in self.sparse],
        } | {keep.series: self.tests(keep) for keep in self.keeps}
        return [
            {
                "panel": self.panel,
                "series": name,
                "replicate": number,
                "level": level,
                "weights_remaining": x,
                "test_error": 100 * float(results[node]["error"]),
            }
            for name, nodes in series.items()
            for number, node in enumerate(nodes)
            if node in results
        ]


def figure(cases: Sequence[LeaveOut], *, name: str, title: str, caption: str) -> Figure:
    """Test errors of all cases, one panel each."""
    lineage: dict[str, list[Value]] = {}
    for case in cases:
        for keep in case.keeps:
            lineage.setdefault(keep.series, []).extend(case.recipes(keep))
    return Figure(
        name,
        title,
        caption=caption,
        table=lambda results: [row for case in cases for row in case.rows(results)],
        plot=Lines(
            "weights_remaining",
            "test_error",
            series="series",
            x_label="weights remaining of the sparse network, %",
            y_label="test error, %",
            share_y=False,
            references=("dense",),
        ),
        lineage=lineage,
    )


def examples(run: Value) -> Reading:
    """Loss and prediction of every training example at the end of a run."""
    return Reading(measure=Examples(), state=final(run))


def test_risk(run: Value) -> Reading:
    """Error and loss on the test set at the end of a run."""
    return Reading(measure=Risk(split="test"), state=final(run))


def in_iterations(recipe: Recipe) -> Recipe:
    """The same run with its length and schedule in iterations, so that fewer examples mean no fewer steps."""
    clock = recipe.clock()
    return recipe.replace(length=f"{clock.total}it", schedule=_in_iterations(recipe.schedule, clock))


def _in_iterations(schedule: Schedule, clock: Clock) -> Schedule:
    if isinstance(schedule, Milestones):
        return schedule.replace(drops=tuple(f"{clock.steps(drop)}it" for drop in schedule.drops))
    if isinstance(schedule, Warmup):
        then = _in_iterations(schedule.then, clock)
        return schedule.replace(steps=f"{clock.steps(schedule.steps)}it", then=then)
    if isinstance(schedule, Constant):
        return schedule
    raise UsageError(f"{type(schedule).__name__} cannot be written in iterations; use Constant or Milestones")
