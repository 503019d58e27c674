"""Leave-subgroup-out retraining: dense networks trained without the examples that pruning affected.

Belongs here: the runs, their errors, and how these are drawn. Does not belong here: which examples
(`studies/subsets.py`), the questions (`app_d.py`, `app_e.py`, `app_k.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from prunescope.base.value import Value
from prunescope.measures import Examples
from prunescope.papers.jin2022.arms import Benchmark, Rule
from prunescope.papers.jin2022.quantities import ERROR, at_best, dense, is_sparse, optima_inside, remaining
from prunescope.papers.jin2022.subgroups import WHERE
from prunescope.papers.readings import risk_on_test
from prunescope.runs.graph.families import final, in_iterations
from prunescope.runs.graph.nodes import Chosen, Combined, Reading
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import Claim, Computed, Figure, Lines, Precondition, Quantity, Results, Rows, column


@dataclass(frozen=True)
class Keep:
    """Which examples a retrained network sees.

    series: its name in figures.
    by: "gain", the loss of the dense network minus that of the sparse one, [N] as "difference"; or "sparse", all that
        `Examples` says of the sparse network.
    rule: a function of `studies/subsets.py`.
    args: its arguments.
    drawn: whether it takes a seed, too.
    """

    series: str
    by: str
    rule: str
    args: Mapping[str, float | str | bool] = field(default_factory=dict)
    drawn: bool = False


@dataclass(frozen=True)
class LeaveOut:
    """Dense networks retrained without some examples, beside the sparse network that chose them.

    panel: its name in figures and claims.
    rule: the level at which the sparse network is taken.
    keeps: the examples that are kept, one retrained network each.

    Every network of a panel takes as many steps as the dense one, at the same learning rates, whatever the number of
    examples.
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
        pairs = zip(self.bench.row("dense", self.noise, 0), self.sparse, strict=True)
        function = "prunescope.measures.combine:difference"
        return [Combined(function=function, inputs=(point.examples, examples(run))) for point, run in pairs]

    def recipes(self, keep: Keep) -> list[Recipe]:
        """The retrained networks, one a replicate, with the seeds of the dense ones."""
        dense = self.bench.row("dense", self.noise, 0)
        sources: Sequence[Value] = self.gains if keep.by == "gain" else [examples(run) for run in self.sparse]
        recipes = []
        for point, source in zip(dense, sources, strict=True):
            args = {**keep.args, **({"seed": point.replicate} if keep.drawn else {})}
            subset = Subset(source=source, rule=f"prunescope.studies.subsets:{keep.rule}", args=args)
            recipes.append(in_iterations(point.recipe).replace(examples=subset))
        return recipes

    def error(self, keep: Keep) -> Quantity:
        """Test error of the retrained networks, [replicates]."""
        return _error(self.recipes(keep), keep.series)

    @property
    def judgeable(self) -> Precondition:
        """A sparse network is picked: what the dense one gets wrong means nothing."""
        return is_sparse(self.bench, self.noise, rule=self.rule)

    def is_sparse(self, results: Results) -> bool:
        """Whether the rule picks a pruned network."""
        return bool(self.judgeable.quantity(results) > 0)

    def where_sparse(self, part: Rows | Computed) -> Computed:
        """The same rows of a figure, or none if no pruned network is picked."""
        nodes = (*self.judgeable.quantity.nodes, *part.nodes)
        return Computed(nodes, lambda r: part.table(r) if self.is_sparse(r) else [], part.labels)

    @property
    def rows(self) -> list[Computed]:
        """Dense, pruned, and every retrained network, at the weights remaining of the pruned one."""
        bench, noise = self.bench, self.noise
        levels = [remaining(bench, "pruned", noise, level) for level in bench.levels_of("pruned", noise)]
        x = at_best(bench, "pruned", noise, levels, self.rule)
        values = {
            "level": self.judgeable.quantity,
            "weights_remaining": x.map(lambda replicates: replicates[0]),
        }
        errors = {"dense": dense(bench, noise), "pruned": _error(self.sparse)}
        errors |= {keep.series: self.error(keep) for keep in self.keeps}
        return [
            self.where_sparse(Rows({"panel": self.panel, "series": series}, {**values, "test_error": error}))
            for series, error in errors.items()
        ]


def figure(cases: Sequence[LeaveOut], name: str, title: str, caption: str, claims: Iterable[Claim]) -> Figure:
    """Test errors of all cases, one panel each."""
    plot = Lines(
        "weights_remaining",
        "test_error",
        series="series",
        x_label="weights remaining of the sparse network, %",
        y_label="test error, %",
        share_y=False,
        references=("dense",),
    )
    rows = [part for case in cases for part in case.rows]
    return Figure(name, title, caption=caption, rows=rows, plot=plot, claims=tuple(claims))


def both_levels_inside(bench: Benchmark, noises: Sequence[float]) -> tuple[Precondition, ...]:
    """Neither level at which the sparse network is taken is the last of its chain; for a study's cautions."""
    return tuple(c for rule in WHERE for c in optima_inside(bench, "pruned", noises=noises, rule=rule))


def examples(run: Value) -> Reading:
    """Loss and prediction of every training example at the end of a run."""
    return Reading(measure=Examples(), state=final(run))


def _error(runs: Sequence[Value], label: str = "") -> Quantity:
    return column(map(risk_on_test, runs), "error", scale=100, label=label, unit=ERROR)
