"""Groups of training examples by influence (EL2N), and what pruning does to the loss of each.

Belongs here: scores, quantities and figures by group. Does not belong here: claims, the pure functions
(`studies/groups.py`), the shared arms (`arms.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark, Numbers, Rule
from prunescope.papers.jin2022.claims import Says
from prunescope.papers.jin2022.figures import over_sparsity
from prunescope.papers.jin2022.quantities import LOSS, best_level, remaining
from prunescope.papers.jin2022.scales import Size, column_of
from prunescope.papers.readings import EARLY_SCORES, EarlyScore, at_end
from prunescope.runs.graph.families import ensemble
from prunescope.studies.groups import group_means

TOP = 0.2
"""The share of examples that counts as influential (section 3)."""
MEMBERS_FROM = 1000
"""Seeds of ensemble members begin here, far from those of replicates."""

WHERE: dict[Rule, str] = {"optimal": "at the optimal level", "highest_improving": "at the highest improving level"}


@dataclass(frozen=True)
class Subgroups:
    """The groups of a benchmark's training examples, drawn anew for every noise level and replicate.

    opening: the schedule of an ensemble member, which trains for `early` only. ensemble: members a score. score:
    by which examples are ordered; the paper's is EL2N.

    Raises UsageError for more groups than training examples.
    """

    bench: Benchmark
    opening: ps.Schedule
    early: ps.Duration
    ensemble: int
    groups: int
    score: EarlyScore = "el2n"

    def __post_init__(self) -> None:
        if self.groups > self.bench.base.train_examples:
            raise ps.UsageError(
                f"groups={self.groups} of {self.bench.base.train_examples} training examples; give 5 to that many"
            )

    @property
    def axis(self) -> str:
        """The score as figures call it."""
        return {"el2n": "EL2N", "grand": "GraNd"}[self.score]

    @property
    def influential(self) -> str:
        """The examples that count as influential, in words."""
        return f"the examples with the top 20 % of {self.axis}"

    def says(self, noise: float) -> Says:
        """Makes claims about the groups at a noise level; by another score than EL2N the paper has none."""
        return Says(self.bench, noise, self.bench.name if self.score == "el2n" else "")

    def members(self, noise: float, number: int) -> list[ps.Recipe]:
        """The short runs behind the scores of a replicate: its labels, networks and orders of their own."""
        return ensemble(
            self.bench.row("dense", noise, 0)[number].recipe,
            self.ensemble,
            early=self.early,
            first_seed=MEMBERS_FROM * (number + 1),
            opening=self.opening,
        )

    def scores(self, noise: float, number: int) -> ps.Combined:
        """The score of every training example of a replicate, mean over its ensemble: {score: [N]}.

        Source: Paul et al. 2021; Jin et al. 2022, section 3 (EL2N).
        Differs from the source: the number of members and the epoch are proposed; the paper's are not known.
        """
        readings = [at_end(run, EARLY_SCORES[self.score]) for run in self.members(noise, number)]
        return ps.Combined(function="prunescope.measures.combine:mean", inputs=tuple(readings))

    def score_values(self, noise: float) -> ps.Quantity:
        """The same as a quantity, [replicates, N]."""
        return ps.arrays(
            [self.scores(noise, number) for number in range(self.bench.replicates)], self.score, unit=self.axis
        )

    def differences(self, arm: Arm, noise: float, at: int | Rule) -> list[ps.Combined]:
        """Differences in loss by group to the dense network, at a level or where a rule picks, one a replicate."""
        dense = self.bench.row("dense", noise, 0)
        if isinstance(at, int):
            sparse = [point.examples for point in self.bench.row(arm, noise, at)]
        else:
            sparse = [at_end(run, ps.Examples()) for run in self.bench.chosen(arm, noise, rule=at)]
        return [
            ps.Combined(
                function="prunescope.studies.groups:group_differences",
                inputs=(self.scores(noise, number), reading, dense[number].examples),
                args={"groups": self.groups, **({} if self.score == "el2n" else {"score": self.score})},
            )
            for number, reading in enumerate(sparse)
        ]

    def change(self, arm: Arm, noise: float, at: int | Rule = "optimal") -> ps.Quantity:
        """The same as a quantity: nats, [replicates, groups], lowest scores first."""
        return ps.arrays(self.differences(arm, noise, at), "difference", label=f"change by {arm}", unit=LOSS)

    def top(self, arm: Arm, noise: float, at: int | Rule = "optimal") -> ps.Quantity:
        """Mean change of the groups with the top 20 % of the score, nats, [replicates]."""
        change = self.change(arm, noise, at).named("change on the top 20 %")
        return change.map(lambda groups: groups[:, -self.top_groups :].mean(axis=1))

    def top_minus_rest(self, arm: Arm, noise: float, at: int | Rule = "optimal") -> ps.Quantity:
        """By how much more the mean loss of these changes than that of the other groups, nats, [replicates]."""
        change = self.change(arm, noise, at).named("change on the rest")
        return self.top(arm, noise, at) - change.map(lambda groups: groups[:, : -self.top_groups].mean(axis=1))

    @property
    def top_groups(self) -> int:
        """How many groups count as influential."""
        return max(1, round(TOP * self.groups))

    @property
    def percentiles(self) -> Numbers:
        """The middle of each group, percent of the examples in order of EL2N."""
        return np.asarray(100 * (np.arange(self.groups) + 0.5) / self.groups)


def subgroups(bench: Benchmark, size: Size) -> Subgroups:
    """The groups of a benchmark at a size. Raises UsageError for more groups than training examples."""
    column = column_of(size.benchmark, size, size.epochs)
    early = max(1.0, column.early * size.epochs / column.epochs)
    return Subgroups(bench, column.opening(size.epochs), f"{early:g}ep", size.ensemble, size.groups, size.score)


@dataclass(frozen=True)
class Case:
    """One curve of a figure by group: an arm at a noise level and the rule that picks its level."""

    panel: str
    series: str
    arm: Arm
    noise: float
    rule: Rule = "optimal"


def at_both_choices() -> list[Case]:
    """The pruned networks without label noise at the optimal and at the highest improving level."""
    return [Case(where, "pruned", "pruned", 0.0, rule) for rule, where in WHERE.items()]


def group_figure(
    sub: Subgroups, cases: Sequence[Case], *, name: str, title: str, claims: Iterable[ps.Claim] = ()
) -> ps.Figure:
    """Mean change in training loss of each group, by its EL2N percentile (Figs 1b, 2, 5)."""
    caption = (
        f"Training examples in {sub.groups} equal groups by {sub.axis} (mean over {sub.ensemble} networks after "
        f"{sub.early.removesuffix('ep')} epochs): mean training loss of the network looked at, minus that of the "
        "dense one. Below 0 it fits the group better."
    )
    return ps.Figure(
        name,
        title,
        caption=caption,
        rows=[
            ps.Rows(
                {"panel": case.panel, "series": case.series},
                {
                    "level": best_level(sub.bench, case.arm, case.noise, rule=case.rule),
                    "difference": sub.change(case.arm, case.noise, case.rule),
                },
                parts={"percentile": sub.percentiles},
            )
            for case in cases
        ],
        plot=ps.Lines(
            "percentile",
            "difference",
            series="series",
            x_label=f"{sub.axis} percentile of the training examples",
            y_label="change in training loss, nats",
            share_y=False,
        ),
        claims=tuple(claims),
    )


def sparsity_figure(
    sub: Subgroups, noise: float, arms: Sequence[Arm], name: str, title: str, claims: Iterable[ps.Claim] = ()
) -> ps.Figure:
    """Mean change in training loss of five bands of examples, over all levels of some arms (App. L)."""
    bands = np.minimum(5 * np.arange(sub.groups) // sub.groups, 4)
    return ps.Figure(
        name,
        title,
        caption=f"Training examples in fifths by {sub.axis}: mean training loss minus that of the dense network. Below "
        "0 the fifth is fitted better. Extended training is drawn at the weights remaining of the pruned network that "
        "has trained as long.",
        rows=[
            ps.Rows(
                {"panel": LABELS[arm], "level": level},
                {
                    "weights_remaining": remaining(sub.bench, arm, noise, level),
                    "difference": sub.change(arm, noise, level).map(
                        lambda change: [group_means(groups, bands) for groups in change]
                    ),
                },
                parts={"band": [f"{sub.axis} {20 * band} to {20 * band + 20} %" for band in range(5)]},
            )
            for arm in arms
            for level in sub.bench.levels_of(arm, noise)[1:]
        ],
        plot=over_sparsity("difference", "change in training loss, nats", series="band", share_y=False),
        claims=tuple(claims),
    )
