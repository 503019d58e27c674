"""Networks retrained on random subsets, the memorization that they measure, and what may go with it.

Belongs here: the runs, and quantities of single training examples. Does not belong here: the estimates (`measures/`),
figures and claims (`influence.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np

from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import replicate
from prunescope.measures import Examples, SeenUnseen
from prunescope.papers.jin2022.arms import Benchmark, Numbers
from prunescope.papers.jin2022.leave_out import examples
from prunescope.papers.jin2022.subgroups import Subgroups
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import Quantity, arrays, combined, statistics

SEEDS_FROM = 1_000_000
"""Seeds of retrained networks begin here, far from those of replicates and of ensembles."""
RISE, LAST_RISE = "rise in loss, optimal level", "rise in loss, last level"


@dataclass(frozen=True)
class Retrained:
    """Networks on random subsets at one noise level, for each replicate with its labels.

    sub: the dense and pruned networks, and their groups of examples.
    models: networks a replicate.
    left_out: share of the examples that each of them lacks.
    looks: states of the dense network at which forgetting is looked for.
    """

    sub: Subgroups
    noise: float
    _: KW_ONLY
    models: int
    left_out: float
    looks: int

    @property
    def bench(self) -> Benchmark:
        """The dense and pruned networks."""
        return self.sub.bench

    def members(self, number: int) -> list[Recipe]:
        """The networks of a replicate: its labels; subsets, initial weights and orders of their own."""
        dense = self.bench.row("dense", self.noise, 0)[number]
        return [
            dense.recipe.replace(
                seeds=replicate(seed).replace(labels=number),
                examples=Subset(
                    source=dense.examples,
                    rule="prunescope.studies.subsets:without_random",
                    args={"name": "loss", "share": self.left_out, "seed": seed},
                ),
            )
            for seed in range(SEEDS_FROM * (number + 1), SEEDS_FROM * (number + 1) + self.models)
        ]

    @cached_property
    def memorization(self) -> list[Combined]:
        """Estimates for every training example, one combination a replicate."""
        return [self._of_members("memorization", number) for number in range(self.bench.replicates)]

    @cached_property
    def pairs(self) -> list[Combined]:
        """Counts of influential pairs, one combination a replicate."""
        return [self._of_members("influential_pairs", number) for number in range(self.bench.replicates)]

    def _of_members(self, function: str, number: int) -> Combined:
        readings = [Reading(measure=SeenUnseen(), state=final(run)) for run in self.members(number)]
        return Combined(function=f"prunescope.measures.memorization:{function}", inputs=tuple(readings))

    def estimate(self, name: str = "memorization") -> Quantity:
        """An estimate of every training example: [replicates, N]; not a number where there is none."""
        return arrays(self.memorization, name)

    @cached_property
    def predictors(self) -> Mapping[str, Quantity]:
        """What may go with memorization, by name: [replicates, N]."""
        rise = self._rise([examples(run) for run in self.bench.chosen("pruned", self.noise)])
        sparsest = self.bench.row("pruned", self.noise, self.bench.levels)
        return {
            "EL2N": self.sub.score_values(self.noise),
            "forgetting events": self._forgotten,
            RISE: rise,
            "change in loss, optimal level": rise.map(np.abs),
            LAST_RISE: self._rise([point.examples for point in sparsest]),
            "influence on test accuracy": self.estimate("influence"),
        }

    def correlation(self, name: str) -> Quantity:
        """Rank correlation of memorization with a predictor, [replicates]."""
        return correlation(self.estimate(), self.predictors[name], f"memorization with {name}")

    @property
    def agreement(self) -> Quantity:
        """Rank correlation of memorization from one half of the networks with that from the other, [replicates]."""
        return correlation(self.estimate("even"), self.estimate("odd"), "one half of the networks with the other")

    def _rise(self, sparse: Sequence[Reading]) -> Quantity:
        """Training loss of a sparse network minus that of the dense one, nats: [replicates, N]."""
        dense = [point.examples for point in self.bench.row("dense", self.noise, 0)]
        return arrays(sparse, "loss") - arrays(dense, "loss")

    @property
    def _forgotten(self) -> Quantity:
        """Forgetting events; an example that was never right counts as forgotten most, as in Toneva et al. 2019."""
        counts = [
            Combined(
                function="prunescope.measures.combine:forgetting",
                inputs=tuple(Reading(measure=Examples(), state=at) for at in self._states(point.recipe)),
            )
            for point in self.bench.row("dense", self.noise, 0)
        ]
        return combined(
            lambda learned, events: np.where(learned, events, events.max(axis=1, keepdims=True) + 1),
            arrays(counts, "learned"),
            arrays(counts, "forgotten"),
        )

    def _states(self, recipe: Recipe) -> list[StateRef]:
        """The states of a run at equal distances, its end included."""
        total = recipe.clock().total
        steps = sorted({round(total * k / self.looks) for k in range(1, self.looks)} - {0, total})
        inside = [StateRef(run=recipe, moment=Moment(when="step", at=f"{step}it")) for step in steps]
        return [*inside, final(recipe)]


def correlation(first: Quantity, second: Quantity, label: str = "") -> Quantity:
    """Rank correlation of two numbers of every example: [replicates]."""

    def of(*values: Numbers) -> list[float]:
        return [rank_correlation(*pair) for pair in zip(*values, strict=True)]

    return combined(of, first, second, label=label, unit="rank correlation")


def rank_correlation(first: Numbers, second: Numbers) -> float:
    """Over the examples for which both are numbers; not a number where one of them does not vary."""
    numbers = np.isfinite(first) & np.isfinite(second)
    return statistics.rank_correlation(first[numbers], second[numbers]) if numbers.sum() > 1 else float("nan")
