"""Networks retrained on random subsets, the memorization that they measure, and what may go with it."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np

import prunescope as ps
from prunescope.measures import SeenUnseen
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.quantities import rank_agreement
from prunescope.papers.jin2022.subgroups import Subgroups
from prunescope.papers.readings import at_end

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

    def members(self, number: int) -> list[ps.Recipe]:
        """The networks of a replicate: its labels; subsets, initial weights and orders of their own."""
        dense = self.bench.row("dense", self.noise, 0)[number]
        return [
            dense.recipe.replace(
                seeds=ps.replicate(seed).replace(labels=number),
                examples=ps.Subset(
                    source=dense.examples,
                    rule="prunescope.studies.subsets:without_random",
                    args={"name": "loss", "share": self.left_out, "seed": seed},
                ),
            )
            for seed in range(SEEDS_FROM * (number + 1), SEEDS_FROM * (number + 1) + self.models)
        ]

    @cached_property
    def memorization(self) -> list[ps.Combined]:
        """Estimates for every training example, one combination a replicate."""
        return self._of_members("memorization")

    @cached_property
    def pairs(self) -> list[ps.Combined]:
        """Counts of influential pairs, one combination a replicate."""
        return self._of_members("influential_pairs")

    def _of_members(self, function: str) -> list[ps.Combined]:
        path = f"prunescope.measures.memorization:{function}"
        members = map(self.members, range(self.bench.replicates))
        readings = [tuple(at_end(run, SeenUnseen()) for run in runs) for runs in members]
        return [ps.Combined(function=path, inputs=inputs) for inputs in readings]

    def estimate(self, name: str = "memorization") -> ps.Quantity:
        """An estimate of every training example: [replicates, N]; not a number where there is none."""
        return ps.arrays(self.memorization, name)

    @cached_property
    def predictors(self) -> Mapping[str, ps.Quantity]:
        """What may go with memorization, by name: [replicates, N]."""
        rise = self._rise([at_end(run, ps.Examples()) for run in self.bench.chosen("pruned", self.noise)])
        sparsest = self.bench.row("pruned", self.noise, self.bench.levels)
        return {
            "EL2N": self.sub.score_values(self.noise),
            "forgetting events": self._forgotten,
            RISE: rise,
            "change in loss, optimal level": rise.map(np.abs),
            LAST_RISE: self._rise([point.examples for point in sparsest]),
            "influence on test accuracy": self.estimate("influence"),
        }

    def correlation(self, name: str) -> ps.Quantity:
        """Rank correlation of memorization with a predictor, [replicates]."""
        label = f"memorization with {name}"
        return rank_agreement(self.estimate(), self.predictors[name], label=label)

    @property
    def agreement(self) -> ps.Quantity:
        """Rank correlation of memorization from one half of the networks with that from the other, [replicates]."""
        label = "one half of the networks with the other"
        return rank_agreement(self.estimate("even"), self.estimate("odd"), label=label)

    def _rise(self, sparse: Sequence[ps.Reading]) -> ps.Quantity:
        """Training loss of a sparse network minus that of the dense one, nats: [replicates, N]."""
        dense = [point.examples for point in self.bench.row("dense", self.noise, 0)]
        return ps.arrays(sparse, "loss") - ps.arrays(dense, "loss")

    @property
    def _forgotten(self) -> ps.Quantity:
        """Forgetting events; an example that was never right counts as forgotten most, as in Toneva et al. 2019."""
        looks = [self._looks(point.recipe) for point in self.bench.row("dense", self.noise, 0)]
        counts = [ps.Combined(function="prunescope.measures.combine:forgetting", inputs=inputs) for inputs in looks]
        return ps.combined(
            lambda learned, events: np.where(learned, events, events.max(axis=1, keepdims=True) + 1),
            *(ps.arrays(counts, name) for name in ("learned", "forgotten")),
        )

    def _looks(self, recipe: ps.Recipe) -> tuple[ps.Reading, ...]:
        """What a run says of every training example at equal distances, at its end, too."""
        total = recipe.clock().total
        steps = sorted({round(total * k / self.looks) for k in range(1, self.looks)} - {0, total})
        inside = [ps.StateRef(run=recipe, moment=ps.Moment(when="step", at=f"{step}it")) for step in steps]
        return tuple(ps.Reading(measure=ps.Examples(), state=state) for state in (*inside, ps.final(recipe)))
