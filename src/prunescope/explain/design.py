"""The design: which networks are trained to tell the parts of pruning apart, and what is read from them.

A cell is a set of factors that a network gets, from none (dense) to all (pruned). Replicates are paired by seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.value import Value
from prunescope.explain import shares
from prunescope.explain.factors import Arm, Factor
from prunescope.explain.shares import Cell
from prunescope.measures import Examples
from prunescope.measures.answers import Answers
from prunescope.measures.measure import Measure, Values
from prunescope.measures.outputs import Outputs
from prunescope.runs.graph.families import final, imp, replicates
from prunescope.runs.graph.nodes import Chosen, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.scores import Magnitude, Score
from prunescope.studies import Quantity
from prunescope.studies.figure import with_gaps
from prunescope.studies.quantity import each, nodes_of
from prunescope.studies.results import Numbers, Results
from prunescope.studies.selection import HALVES
from prunescope.tasks.network import Network
from prunescope.tasks.task import Task
from prunescope.training.interventions import Prune

DENSE: Cell = frozenset()


class Pruning(Value):
    """How far a recipe is pruned, and how it is explained.

    fraction: of the remaining weights that a level removes.
    score: the value of a weight.
    levels: of pruning.
    rewind: where the schedule starts again at every level.
    level: which level is explained: the last, or the best one, chosen on other networks and test examples.
    size: how a network is small from the start; by default narrower where its argument `scale` makes it so.
    orders: of the factors: all, or two where all are too dear.
    noise: share of the training labels that are flipped, where the recipe flips none.
    replicates: networks of every kind.
    """

    fraction: float = Field(default=0.2, gt=0, lt=1)
    score: Score = Magnitude()
    levels: int = Field(default=7, ge=1)
    rewind: Duration = "0it"
    level: Literal["last", "best"] = "last"
    size: Literal["narrower", "masks"] | None = None
    orders: Literal["all", "two"] = "all"
    noise: float = Field(default=0.0, ge=0, lt=1)
    replicates: int = Field(default=5, ge=2)


@dataclass(frozen=True)
class Outcome:
    """A number of a network, of which less is better.

    label: what it is, in a sentence. unit: what a difference of it is counted in.
    measure: the reading of the test examples. of: from that reading to the number.
    """

    label: str
    unit: str
    measure: Measure
    of: Callable[[Values], float]

    def on(self, reading: Values, rows: slice = slice(None)) -> float:
        """The number on some of the examples."""
        return self.of({name: values[rows] for name, values in reading.items()})


def outcomes(task: Task) -> tuple[Outcome, ...]:
    """What there is for a task, the error first; calibration and classes only where an example has one class."""
    target = task.target
    examples, outputs, percent = Examples(split="test"), Outputs(split="test"), "percentage points"
    loss = "nats" if target.unit == "fraction" else f"squared {target.unit}"
    loss = loss if task.loss == target.loss else "unit of the loss"
    found = (
        Outcome("test error", percent if target.decides else target.unit, examples, _error),
        Outcome("test loss", loss, examples, lambda values: float(values["loss"].mean(dtype=np.float64))),
    )
    if not target.classifies:
        return found
    return (
        *found,
        Outcome("calibration error", percent, outputs, lambda values: 100 * _answers(values).calibration),
        Outcome("error of the worst class", percent, outputs, _worst_class),
    )


def _error(values: Values) -> float:
    return float(100 * (~values["correct"]).mean() if "correct" in values else values["error"].mean())


def _answers(values: Values) -> Answers:
    return Answers(values["log_probability"], values["label"])


def _worst_class(values: Values) -> float:
    wrong = _answers(values).wrong
    return 100 * max(float(wrong[values["label"] == label].mean()) for label in np.unique(values["label"]))


@dataclass(frozen=True)
class Design:
    """All networks of the experiment.

    base: the dense recipe, its label noise included.
    prune: what a level of pruning removes.
    how: how far it is pruned, and in which orders the factors are given.
    factors: the parts of pruning; all together are pruning.
    smaller: the narrower network by level; None where a random mask makes a network small from the start.
    """

    base: Recipe
    prune: Prune
    how: Pruning
    factors: tuple[Factor, ...]
    smaller: Mapping[int, Network] | None

    @cached_property
    def orders(self) -> list[shares.Order]:
        """The orders in which the factors are given."""
        every = shares.orders({factor.name: factor.needs for factor in self.factors})
        return [every[0], every[-1]] if self.how.orders == "two" else every

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
        return outcomes(self.base.task)

    @cached_property
    def dense(self) -> list[Recipe]:
        """The dense network of every replicate."""
        return replicates(self.base, self.how.replicates)

    @cached_property
    def _arms(self) -> list[Arm]:
        chains = [imp(run, levels=self.how.levels, prune=self.prune, rewind=self.how.rewind) for run in self.dense]
        return [Arm(chain[0], tuple(chain), self.how.rewind, self.smaller) for chain in chains]

    def name(self, cell: Cell) -> str:
        """A cell for people."""
        if cell in (DENSE, self.pruned):
            return "pruned" if cell else "dense"
        return " + ".join(factor.name for factor in self.factors if factor.name in cell)

    def chains(self, cell: Cell, level: int) -> list[list[Recipe]]:
        """The recipes of a cell, one chain a replicate; each ends beside a level of pruning."""
        return [arm.chain(level) for arm in self.arms(cell)]

    def arms(self, cell: Cell) -> list[Arm]:
        """The networks of a cell, one a replicate. Raises UsageError for a factor that gives something else."""
        found = self._arms
        for factor in (factor for factor in self.factors if factor.name in cell):
            found = [factor.given(arm) for arm in found]
            if not isinstance(found[0], Arm):
                raise UsageError(f"factor {factor.name!r} gives {found[0]!r}; return the arm, replace(arm, ...)")
        return found

    def recipes(self, cell: Cell, level: int | None = None) -> list[Recipe]:
        """The last of each chain, one a replicate, by default beside the last level of pruning."""
        return [chain[-1] for chain in self.chains(cell, self.how.levels if level is None else level)]

    def read(self, runs: Sequence[Recipe], outcome: Outcome, label: str = "") -> Quantity:
        """The outcome of one network a replicate on all test examples: [R]."""
        readings = [Reading(measure=outcome.measure, state=final(run)) for run in runs]
        return each(outcome.on, readings, label=label, unit=outcome.unit)

    def value(self, cell: Cell, outcome: Outcome) -> Quantity:
        """The outcome of a cell at the level that is explained: [R]."""
        if self.how.level == "last":
            return self.read(self.recipes(cell), outcome, self.name(cell))
        readings = [
            [Reading(measure=outcome.measure, state=final(run)) for run in self._chosen(cell, half)] for half in HALVES
        ]

        def judged(even: Values, odd: Values) -> float:
            """Of the networks that were chosen on the even and on the odd examples."""
            return float(np.mean([outcome.on(even, HALVES["odd"]), outcome.on(odd, HALVES["even"])]))

        return each(judged, *readings, label=self.name(cell), unit=outcome.unit)

    def _chosen(self, cell: Cell, half: str) -> list[Chosen]:
        """The network of each replicate at the level that is best on half of the test set for other replicates."""
        levels = range(self.how.levels + 1)
        among = zip(*(self.recipes(cell, level) for level in levels), strict=True)
        judged = [
            [Reading(measure=Examples(split="test"), state=final(run)) for run in self.recipes(self.pruned, level)]
            for level in levels
        ]
        inputs = [tuple(reading for row in judged for reading in row[1 - fold :: 2]) for fold in (0, 1)]
        rule, args = "prunescope.studies.selection:choose_on_half", {"levels": len(levels), "half": half}
        return [
            Chosen(among=runs, inputs=inputs[number % 2], rule=rule, args=args) for number, runs in enumerate(among)
        ]

    def effect(self, outcome: Outcome) -> Quantity:
        """What pruning changes: [R]."""
        return self.value(self.pruned, outcome) - self.value(DENSE, outcome)

    def parts(self, outcome: Outcome) -> dict[str, Quantity]:
        """What each factor changes, [R] by name; not a number where networks failed around which there is no way."""
        cells = {cell: self.value(cell, outcome) for cell in self.cells}

        def of(results: Results, name: str) -> Numbers:
            values = {cell: with_gaps(value, results) for cell, value in cells.items()}
            return shares.shares(values, self.orders)[name]

        names, nodes = [factor.name for factor in self.factors], nodes_of(cells.values())
        return {name: Quantity(f"share of {name}", outcome.unit, nodes, partial(of, name=name)) for name in names}
