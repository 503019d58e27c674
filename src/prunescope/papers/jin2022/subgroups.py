"""Groups of training examples by influence (EL2N), and what pruning does to the loss of each.

Belongs here: scores, readings and figures by group. Does not belong here: what is claimed of them
(`subgroup_statements.py`), the pure functions (`studies/groups.py`), the shared arms (`arms.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.measures import Examples
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Rule
from prunescope.papers.jin2022.benchmarks import COLUMNS
from prunescope.papers.jin2022.sizes import Size
from prunescope.papers.jin2022.views import LABELS
from prunescope.papers.readings import EarlyScore, early_score
from prunescope.runs.graph.families import ensemble, final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.groups import group_means
from prunescope.studies.results import Results
from prunescope.training.schedules import Schedule

MEMBERS_FROM = 1000
"""Seeds of ensemble members begin here, far from those of replicates."""

WHERE: dict[Rule, str] = {
    "optimal": "at the optimal level",
    "highest_improving": "at the highest improving level",
}


@dataclass(frozen=True)
class Subgroups:
    """The groups of a benchmark's training examples, drawn anew for every noise level and replicate.

    opening: the schedule of an ensemble member, which trains for `early` only. ensemble: members a score. score:
    by which examples are ordered; the paper's is EL2N.

    Raises UsageError for more groups than training examples.
    """

    bench: Benchmark
    opening: Schedule
    early: Duration
    ensemble: int
    groups: int
    score: EarlyScore = "el2n"

    def __post_init__(self) -> None:
        if self.groups > self.bench.base.train_examples:
            raise UsageError(
                f"groups={self.groups} of {self.bench.base.train_examples} training examples; give 5 to that many"
            )

    @property
    def axis(self) -> str:
        """The score as figures call it."""
        return {"el2n": "EL2N", "grand": "GraNd"}[self.score]

    @property
    def theirs(self) -> str:
        """The benchmark as far as the paper speaks of it: by groups of another score than EL2N it says nothing."""
        return self.bench.name if self.score == "el2n" else ""

    def members(self, noise: float, number: int) -> list[Recipe]:
        """The short runs behind the scores of a replicate: its labels, networks and orders of their own."""
        return ensemble(
            self.bench.row("dense", noise, 0)[number].recipe,
            self.ensemble,
            early=self.early,
            first_seed=MEMBERS_FROM * (number + 1),
            opening=self.opening,
        )

    def scores(self, noise: float, number: int) -> Combined:
        """The score of every training example of a replicate: {score: [N]}.

        Source: Paul et al. 2021; Jin et al. 2022, section 3 (EL2N).
        Differs from the source: the number of members and the epoch are proposed; the paper's are not known.
        """
        return early_score(self.members(noise, number), self.score)

    def score_values(self, results: Results, noise: float, number: int) -> Numbers:
        """The same as numbers, [N]."""
        return np.asarray(results[self.scores(noise, number)][self.score])

    def at_level(self, arm: Arm, noise: float, level: int) -> list[Combined]:
        """Differences in loss by group between a level of an arm and the dense network, one a replicate."""
        return self._differences(noise, [p.examples for p in self.bench.row(arm, noise, level)])

    def at_choice(self, arm: Arm, noise: float, rule: Rule) -> list[Combined]:
        """The same at the level that a rule picks."""
        runs = self.bench.chosen(arm, noise, rule=rule)
        return self._differences(noise, [Reading(measure=Examples(), state=final(run)) for run in runs])

    def _differences(self, noise: float, sparse: Sequence[Reading]) -> list[Combined]:
        dense = self.bench.row("dense", noise, 0)
        return [
            Combined(
                function="prunescope.studies.groups:group_differences",
                inputs=(self.scores(noise, number), reading, dense[number].examples),
                args={"groups": self.groups, **({} if self.score == "el2n" else {"score": self.score})},
            )
            for number, reading in enumerate(sparse)
        ]

    def values(self, results: Results, nodes: Iterable[Value]) -> Numbers:
        """Differences in nats, [replicates, groups], lowest scores first."""
        return np.stack([results[node]["difference"] for node in nodes])

    @property
    def percentiles(self) -> Numbers:
        """The middle of each group, percent of the examples in order of EL2N."""
        return np.asarray(100 * (np.arange(self.groups) + 0.5) / self.groups)


def subgroups(bench: Benchmark, size: Size) -> Subgroups:
    """The groups of a benchmark at a size. Raises UsageError for more groups than training examples."""
    column = COLUMNS[size.benchmark]
    early = max(1.0, column.early * size.epochs / column.epochs)
    return Subgroups(
        bench, column.opening(size.epochs), f"{early:g}ep", size.ensemble, size.groups, size.score
    )


@dataclass(frozen=True)
class Case:
    """One curve of a figure by group: an arm at a noise level and where it is looked at."""

    panel: str
    series: str
    arm: Arm
    noise: float
    rule: Rule

    def nodes(self, sub: Subgroups) -> list[Combined]:
        """What has to be computed, one a replicate."""
        return sub.at_choice(self.arm, self.noise, self.rule)


def group_figure(
    sub: Subgroups, cases: Sequence[Case], *, name: str, title: str, caption: str = ""
) -> Figure:
    """Mean change in training loss of each group, by its EL2N percentile (Figs 1b, 2, 5)."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": case.panel,
                "series": case.series,
                "replicate": number,
                "level": sub.bench.best_level(results, case.arm, case.noise, rule=case.rule),
                "percentile": percentile,
                "difference": float(change),
            }
            for case in cases
            for number, node in enumerate(case.nodes(sub))
            if node in results
            for percentile, change in zip(sub.percentiles, results[node]["difference"], strict=True)
        ]

    return Figure(
        name,
        title,
        caption=caption
        or (
            f"Training examples in {sub.groups} equal groups by {sub.axis} (mean over {sub.ensemble} networks after "
            f"{sub.early.removesuffix('ep')} epochs): mean training loss of the network looked at, minus that of the "
            "dense one. Below 0 it fits the group better."
        ),
        table=table,
        plot=Lines(
            "percentile",
            "difference",
            series="series",
            x_label=f"{sub.axis} percentile of the training examples",
            y_label="change in training loss, nats",
            share_y=False,
        ),
        lineage=_lineage(sub, cases),
    )


def sparsity_figure(sub: Subgroups, noise: float, arms: Sequence[Arm], *, name: str, title: str) -> Figure:
    """Mean change in training loss of five bands of examples, over all levels of some arms (App. L)."""
    bands = np.minimum(5 * np.arange(sub.groups) // sub.groups, 4)

    def table(results: Results) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for arm in arms:
            for level in range(1, sub.bench.depth(arm, noise) + 1):
                points = sub.bench.row(arm, noise, level)
                for point, node in zip(points, sub.at_level(arm, noise, level), strict=True):
                    if node in results:
                        change = group_means(np.asarray(results[node]["difference"]), bands)
                        x = sub.bench.remaining(results, point)
                        rows += [
                            {
                                "panel": LABELS[arm],
                                "band": f"{sub.axis} {20 * band} to {20 * band + 20} %",
                                "replicate": point.replicate,
                                "level": level,
                                "weights_remaining": x,
                                "difference": float(change[band]),
                            }
                            for band in range(5)
                        ]
        return rows

    return Figure(
        name,
        title,
        caption=f"Training examples in fifths by {sub.axis}: mean training loss minus that of the dense network. Below "
        "0 the fifth is fitted better. Extended training is drawn at the weights remaining of the pruned network that "
        "has trained as long.",
        table=table,
        plot=Lines(
            "weights_remaining",
            "difference",
            series="band",
            x_label="weights remaining, %",
            y_label="change in training loss, nats",
            log_x=True,
            reverse_x=True,
            share_y=False,
        ),
        lineage={LABELS[arm]: [p.recipe for row in sub.bench.chain(arm, noise) for p in row] for arm in arms},
    )


def _lineage(sub: Subgroups, cases: Sequence[Case]) -> dict[str, list[Value]]:
    """The dense networks, the arms among which a level is chosen, and the ensembles."""
    nodes: dict[str, list[Value]] = {}
    for case in cases:
        members = [run for number in range(sub.bench.replicates) for run in sub.members(case.noise, number)]
        chain = [point.recipe for row in sub.bench.chain(case.arm, case.noise) for point in row]
        nodes.setdefault(f"{case.panel}, {case.series}", []).extend([*chain, *members])
    return nodes
