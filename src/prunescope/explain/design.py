"""The design: which networks are trained to tell the parts of pruning apart, and what is read from them.

A cell of the design is a set of factors that a network gets, from none (dense) to all (pruned). Replicates differ by
seeds, and cells are paired by replicate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.explain import shares
from prunescope.explain.arm import Arm, narrower
from prunescope.explain.factors import Factor
from prunescope.explain.levels import HALVES, OTHER
from prunescope.explain.outcomes import Outcome, outcomes
from prunescope.explain.shares import Cell
from prunescope.measures import Examples
from prunescope.runs.graph.families import final, imp, replicates
from prunescope.runs.graph.nodes import Chosen, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies import Quantity
from prunescope.studies.figure import with_gaps
from prunescope.studies.quantity import each, nodes_of
from prunescope.studies.results import Numbers, Results
from prunescope.tasks.model import Model
from prunescope.tasks.network import Network
from prunescope.training.interventions import Prune

Level = Literal["last", "best"]
Size = Literal["narrower", "masks"]
DENSE: Cell = frozenset()


@dataclass(frozen=True)
class Design:
    """All networks of the experiment.

    base: the dense recipe, its label noise included.
    prune: what a level of pruning removes.
    levels: of pruning.
    rewind: where the schedule starts again at every level.
    count: replicates.
    factors: the parts of pruning; all together are pruning.
    level: which level is explained: the last, or that of least error, chosen on the other half of the replicates and of
        the test examples.
    size: how a network is small from the start.
    fractional: whether only two orders of the factors are run, not all.
    """

    base: Recipe
    prune: Prune
    levels: int
    rewind: Duration
    count: int
    factors: tuple[Factor, ...]
    level: Level
    size: Size
    fractional: bool

    @cached_property
    def orders(self) -> list[shares.Order]:
        """The orders in which the factors are given."""
        every = shares.orders({factor.name: factor.needs for factor in self.factors})
        return shares.two_orders(every) if self.fractional else every

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, the dense network first, the pruned one last."""
        return shares.cells(self.orders)

    @property
    def pruned(self) -> Cell:
        """The cell of the pruned network."""
        return self.cells[-1]

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What is explained, the error first."""
        return outcomes(self.base.task.target)

    @cached_property
    def dense(self) -> list[Recipe]:
        """The dense network of every replicate."""
        return replicates(self.base, self.count)

    @cached_property
    def _arms(self) -> list[Arm]:
        chains = [imp(run, levels=self.levels, prune=self.prune, rewind=self.rewind) for run in self.dense]
        return [Arm(chain[0], tuple(chain), self.rewind, self._narrower) for chain in chains]

    @cached_property
    def _narrower(self) -> dict[int, Network] | None:
        """The narrower network by level, for the levels that are needed."""
        if self.size == "masks":
            return None
        model = Model(self.base.task.network)
        total = sum(model.parameters[name].numel() for name in model.maskable)
        counts = dict(enumerate(remaining(self.prune, self.levels, total)))
        return narrower(self.base, {level: counts[level] for level in self._explained if level})

    @property
    def _explained(self) -> Sequence[int]:
        return range(self.levels + 1) if self.level == "best" else [self.levels]

    def name(self, cell: Cell) -> str:
        """A cell for people."""
        names = " + ".join(factor.name for factor in self.factors if factor.name in cell)
        return "dense" if cell == DENSE else f"{names} (pruned)" if cell == self.pruned else names

    def chains(self, cell: Cell, level: int | None = None) -> list[list[Recipe]]:
        """The recipes of a cell, one chain a replicate; each ends beside `level` of pruning, by default the last."""
        found = []
        for arm in self._arms:
            for factor in self.factors:
                arm = factor.given(arm) if factor.name in cell else arm
            found.append(arm.chain(self.levels if level is None else level))
        return found

    def recipes(self, cell: Cell, level: int | None = None) -> list[Recipe]:
        """The last of each chain: the networks of a cell beside a level of pruning, one a replicate."""
        return [chain[-1] for chain in self.chains(cell, level)]

    def value(self, cell: Cell, outcome: Outcome) -> Quantity:
        """The outcome of a cell at the level that is explained: [R]."""
        label, unit = self.name(cell), outcome.unit
        if self.level == "last":
            readings = [_reading(outcome, final(run)) for run in self.recipes(cell)]
            return each(lambda values: outcome.on(values, slice(None)), readings, label=label, unit=unit)
        chosen = [[_reading(outcome, final(run)) for run in self._chosen(cell, half)] for half in HALVES]
        judged = [HALVES[OTHER[half]] for half in HALVES]
        return each(
            lambda *values: np.mean([outcome.on(value, rows) for value, rows in zip(values, judged, strict=True)]),
            *chosen,
            label=label,
            unit=unit,
        )

    def _chosen(self, cell: Cell, half: str) -> list[Chosen]:
        """The network of each replicate at the level that is best on half of the test set for other replicates."""
        levels = range(self.levels + 1)
        among = list(zip(*(self.recipes(cell, level) for level in levels), strict=True))
        judged = [self.recipes(self.pruned, level) for level in levels]
        examples = [[Reading(measure=Examples(split="test"), state=final(run)) for run in row] for row in judged]
        inputs = [tuple(reading for row in examples for reading in row[1 - fold :: 2]) for fold in (0, 1)]
        rule, args = "prunescope.explain.levels:least_error", {"levels": len(levels), "half": half}
        return [
            Chosen(among=runs, inputs=inputs[number % 2], rule=rule, args=args) for number, runs in enumerate(among)
        ]

    def effect(self, outcome: Outcome) -> Quantity:
        """What pruning changes: [R]."""
        return self.value(self.pruned, outcome) - self.value(DENSE, outcome)

    def share(self, name: str, outcome: Outcome) -> Quantity:
        """What a factor changes: [R], not a number where networks diverged around which there is no way."""
        cells = {cell: self.value(cell, outcome) for cell in self.cells}

        def of(results: Results) -> Numbers:
            return shares.shares({cell: with_gaps(value, results) for cell, value in cells.items()}, self.orders)[name]

        return Quantity(f"share of {name}", outcome.unit, nodes_of(cells.values()), of)


def _reading(outcome: Outcome, state: StateRef) -> Value:
    return Reading(measure=outcome.measure, state=state)


def remaining(prune: Prune, levels: int, total: int = 10**9) -> list[int]:
    """How many of `total` weights remain at every level. Raises UsageError for levels that remove nothing or all."""
    counts = [total]
    for level in range(1, levels + 1):
        counts.append(prune.amount.remaining_after(counts[-1], total=total, event=1, events=1))
        if not 0 < counts[-1] < counts[-2]:
            raise UsageError(
                f"level {level} cannot be reached: of {counts[-2]} weights {prune.amount!r} leaves {counts[-1]}; "
                f"give levels={level - 1}, or another amount"
            )
    return counts
