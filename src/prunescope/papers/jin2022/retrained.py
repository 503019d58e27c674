"""Networks retrained on random subsets, and what is set beside the memorization that they measure.

Belongs here: the runs, readings and per-example numbers. Does not belong here: the estimates (`measures/`), figures
(`influence_views.py`), claims (`influence_statements.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np

from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Examples, SeenUnseen
from prunescope.papers.jin2022.arms import Benchmark, Numbers
from prunescope.papers.jin2022.leave_out import examples
from prunescope.papers.jin2022.subgroups import Subgroups
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.studies import statistics
from prunescope.studies.results import Results

SEEDS_FROM = 1_000_000
"""Seeds of retrained networks begin here, far from those of replicates and of ensembles."""


@dataclass(frozen=True)
class Retrained:
    """Networks on random subsets at one noise level, for each replicate with its labels.

    models: networks a replicate. left_out: share of the examples that each lacks. looks: states of the dense network
    at which forgetting is looked for.
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
        """Memorization of every training example, one combination a replicate."""
        return [self._of_members("memorization", number) for number in range(self.bench.replicates)]

    @cached_property
    def pairs(self) -> list[Combined]:
        """Counts of influential pairs, one combination a replicate."""
        return [self._of_members("influential_pairs", number) for number in range(self.bench.replicates)]

    @cached_property
    def forgetting(self) -> list[Combined]:
        """Forgetting events of the dense network, one combination a replicate."""
        return [
            Combined(
                function="prunescope.measures.combine:forgetting",
                inputs=tuple(
                    Reading(measure=Examples(), state=state) for state in self._states(point.recipe)
                ),
            )
            for point in self.bench.row("dense", self.noise, 0)
        ]

    @cached_property
    def rises(self) -> list[Combined]:
        """Loss of the optimally sparse network minus that of the dense one, one a replicate: {"difference": [N]}."""
        return self._rises([examples(run) for run in self.bench.chosen("pruned", self.noise)])

    @cached_property
    def last_rises(self) -> list[Combined]:
        """The same of the sparsest network."""
        return self._rises([p.examples for p in self.bench.row("pruned", self.noise, self.bench.levels)])

    def _rises(self, sparse: Sequence[Reading]) -> list[Combined]:
        dense = self.bench.row("dense", self.noise, 0)
        return [
            Combined(function="prunescope.measures.combine:difference", inputs=(reading, point.examples))
            for point, reading in zip(dense, sparse, strict=True)
        ]

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed beside the benchmark's own arms."""
        scores = [self.sub.scores(self.noise, number) for number in range(self.bench.replicates)]
        return [*scores, *self.memorization, *self.pairs, *self.forgetting, *self.rises, *self.last_rises]

    def predictors(self, results: Results, number: int) -> Mapping[str, Numbers]:
        """What may go with memorization, by name: one number a training example, of a replicate."""
        rise, last = (results[nodes[number]]["difference"] for nodes in (self.rises, self.last_rises))
        estimates = results[self.memorization[number]]
        return {
            "EL2N": self.sub.score_values(results, self.noise, number),
            "forgetting events": _forgotten(results[self.forgetting[number]]),
            "rise in loss, optimal level": rise,
            "change in loss, optimal level": np.abs(rise),
            "rise in loss, last level": last,
            "influence on test accuracy": estimates["influence"],
        }

    def correlations(self, results: Results, name: str) -> Numbers:
        """Rank correlation of memorization with a predictor, [replicates]."""
        return self._each(lambda n: correlation(self.measured(results, n), self.predictors(results, n)[name]))

    def agreement(self, results: Results) -> Numbers:
        """Rank correlation of memorization from one half of the networks with that from the other, [replicates]."""

        def halves(number: int) -> float:
            found = results[self.memorization[number]]
            return correlation(found["even"], found["odd"])

        return self._each(halves)

    def measured(self, results: Results, number: int) -> Numbers:
        """Memorization of every training example of a replicate, [N]; not a number where it cannot be estimated."""
        return np.asarray(results[self.memorization[number]]["memorization"])

    def _each(self, measure: Callable[[int], float]) -> Numbers:
        return np.array([measure(number) for number in range(self.bench.replicates)])

    def _of_members(self, function: str, number: int) -> Combined:
        readings = [Reading(measure=SeenUnseen(), state=final(run)) for run in self.members(number)]
        return Combined(function=f"prunescope.measures.memorization:{function}", inputs=tuple(readings))

    def _states(self, recipe: Recipe) -> list[StateRef]:
        """The states of a run at equal distances, its end included."""
        total = recipe.clock().total
        steps = sorted({round(total * k / self.looks) for k in range(1, self.looks)} - {0, total})
        inside = [StateRef(run=recipe, moment=Moment(when="step", at=f"{step}it")) for step in steps]
        return [*inside, final(recipe)]


def correlation(first: Numbers, second: Numbers) -> float:
    """Rank correlation over the examples for which both are numbers; not a number where one of them does not vary."""
    there = np.isfinite(first) & np.isfinite(second)
    return statistics.rank_correlation(first[there], second[there]) if there.sum() > 1 else float("nan")


def _forgotten(found: Mapping[str, Numbers]) -> Numbers:
    """Forgetting events; an example that was never right counts as forgotten most, as in Toneva et al. 2019."""
    events = found["forgotten"].astype(np.float64)
    return np.where(found["learned"], events, events.max(initial=0) + 1)
