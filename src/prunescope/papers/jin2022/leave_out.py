"""Leave-subgroup-out retraining: dense networks trained without the examples that pruning affected.

Belongs here: the runs, their errors, and how these are drawn. Does not belong here: which examples
(`studies/subsets.py`), the questions (`app_d.py`, `app_e.py`, `app_k.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark, Rule
from prunescope.papers.jin2022.quantities import ERROR, at_best, dense, each_level, is_sparse, remaining
from prunescope.papers.jin2022.subgroups import WHERE
from prunescope.papers.readings import at_end, noise_name, risk_on_test
from prunescope.runs.graph.families import in_iterations


@dataclass(frozen=True)
class Keep:
    """Which examples a retrained network sees.

    series: its name in figures.
    by: "gain", the loss of the dense network minus that of the sparse one, [N] as "difference"; "sparse" or "dense",
        all that `Examples` says of that network.
    rule: a function of `studies/subsets.py`.
    args: its arguments.
    drawn: whether it takes a seed, too.
    shared: whether both levels leave out the same, so that one network stands for both.
    """

    series: str
    by: str
    rule: str
    args: Mapping[str, float | str | bool] = field(default_factory=dict)
    drawn: bool = False
    shared: bool = False


def without_share(share: float, most: Literal["improved", "worsened"]) -> tuple[Keep, Keep]:
    """All but the share of the examples whose loss pruning lowers or raises most; all but as many at random."""
    args: Mapping[str, float | str | bool] = {"name": "difference", "share": share}
    rule = {"improved": "without_highest", "worsened": "without_lowest"}[most]
    random = Keep("without as many at random", "gain", "without_random", args, drawn=True, shared=True)
    return Keep(f"without the most {most}", "gain", rule, args), random


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
    def sparse(self) -> list[ps.Chosen]:
        """The sparse network of each replicate."""
        return self.bench.chosen("pruned", self.noise, rule=self.rule)

    @cached_property
    def sparse_examples(self) -> list[ps.Reading]:
        """What it says of every training example."""
        return [at_end(run, ps.Examples()) for run in self.sparse]

    @cached_property
    def gains(self) -> list[ps.Combined]:
        """Training loss of the dense minus that of the sparse network, one a replicate: {"difference": [N]}."""
        pairs = zip(self.bench.row("dense", self.noise, 0), self.sparse_examples, strict=True)
        function = "prunescope.measures.combine:difference"
        return [ps.Combined(function=function, inputs=(point.examples, sparse)) for point, sparse in pairs]

    def recipes(self, keep: Keep) -> list[ps.Recipe]:
        """The retrained networks, one a replicate, with the seeds of the dense ones."""
        chosen = replace(self, rule="optimal") if keep.shared else self
        dense = self.bench.row("dense", self.noise, 0)
        sources: Mapping[str, Callable[[], Sequence[ps.Value]]] = {
            "gain": lambda: chosen.gains,
            "sparse": lambda: chosen.sparse_examples,
            "dense": lambda: [point.examples for point in dense],
        }
        recipes = []
        for point, source in zip(dense, sources[keep.by](), strict=True):
            args = {**keep.args, **({"seed": point.replicate} if keep.drawn else {})}
            subset = ps.Subset(source=source, rule=f"prunescope.studies.subsets:{keep.rule}", args=args)
            recipes.append(in_iterations(point.recipe).replace(examples=subset))
        return recipes

    def error(self, keep: Keep) -> ps.Quantity:
        """Test error of the retrained networks, [replicates]."""
        return _error(self.recipes(keep), keep.series)

    @property
    def judgeable(self) -> ps.Precondition:
        """A sparse network is picked: what the dense one gets wrong means nothing."""
        return is_sparse(self.bench, self.noise, rule=self.rule)

    @property
    def errs(self) -> ps.Precondition:
        """The sparse network gets training examples wrong: else none are left out, and retrained is the dense one."""
        wrong = ps.arrays(self.sparse_examples, "correct").map(lambda right: (1 - right).sum(axis=1), unit="examples")
        return ps.Precondition("there are training examples that the sparse network gets wrong", wrong, at_least=1)

    def worsens(self, share: float) -> ps.Precondition:
        """The loss of the share of the examples that pruning worsens most rises on average."""

        def rise(gains: ps.Numbers) -> ps.Numbers:
            worst = np.sort(-gains, axis=1)[:, -max(1, round(share * gains.shape[1])) :]
            return np.asarray(worst.mean(axis=1))

        says = "the loss of the examples that are left out rises by pruning"
        risen = ps.arrays(self.gains, "difference").map(rise, unit="nats")
        return ps.Precondition(says, risen, at_least=np.finfo(np.float64).tiny)

    def is_sparse(self, results: ps.Results) -> bool:
        """Whether the rule picks a pruned network."""
        return bool(self.judgeable.quantity(results) > 0)

    def where_sparse(self, part: ps.Rows | ps.Computed) -> ps.Computed:
        """The same rows of a figure, or none if no pruned network is picked."""
        nodes = (*self.judgeable.quantity.nodes, *part.nodes)
        return ps.Computed(nodes, lambda r: part.table(r) if self.is_sparse(r) else [], part.labels)

    @property
    def rows(self) -> list[ps.Computed]:
        """Dense, pruned, and every retrained network, at the weights remaining of the pruned one."""
        levels = each_level(self.bench, "pruned", self.noise, remaining)
        x = at_best(self.bench, "pruned", self.noise, levels, self.rule).map(lambda replicates: replicates[0])
        errors = {"dense": dense(self.bench, self.noise), "pruned": _error(self.sparse)}
        errors |= {keep.series: self.error(keep) for keep in self.keeps}
        values = {"level": self.judgeable.quantity, "weights_remaining": x}
        return [
            self.where_sparse(ps.Rows({"panel": self.panel, "series": series}, {**values, "test_error": error}))
            for series, error in errors.items()
        ]


def cases(bench: Benchmark, noises: Iterable[float], keeps: tuple[Keep, ...]) -> list[LeaveOut]:
    """At every noise level and for both rules."""
    return [
        LeaveOut(bench, f"{noise_name(noise)}, {where}", noise, rule, keeps)
        for noise in noises
        for rule, where in WHERE.items()
    ]


def figure(cases: Sequence[LeaveOut], name: str, title: str, caption: str, claims: Iterable[ps.Claim]) -> ps.Figure:
    """Test errors of all cases, one panel each."""
    plot = ps.Lines(
        "weights_remaining",
        "test_error",
        series="series",
        x_label="weights remaining of the sparse network, %",
        y_label="test error, %",
        share_y=False,
        references=("dense",),
    )
    rows = [part for case in cases for part in case.rows]
    return ps.Figure(name, title, caption=caption, rows=rows, plot=plot, claims=tuple(claims))


def _error(runs: Sequence[ps.Value], label: str = "") -> ps.Quantity:
    return ps.column(map(risk_on_test, runs), "error", scale=100, label=label, unit=ERROR)
