"""One setting over keep probabilities and replicates: the runs, what is read of them, and which count.

Belongs here: points, and numbers lined up over replicates. Does not belong here: what they show (`views.py` and the
studies).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.value import Value
from prunescope.measures import NoiseResponse, SignalAndNoise, SignalNeurons, WeightVector
from prunescope.papers.readings import Trained
from prunescope.papers.yang2023.setting import Setting, pruned
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.results import Failed, Missing
from prunescope.studies.claim import Precondition
from prunescope.studies.results import Numbers, Results, column

PRUNED = Moment(when="after", at="0it")


@dataclass(frozen=True)
class Point(Trained):
    """One network: a setting, a keep probability, a replicate."""

    setting: Setting
    keep: float
    replicate: int
    recipe: Recipe

    @cached_property
    def features(self) -> Reading:
        """Signal learned and noise memorized."""
        return Reading(measure=SignalAndNoise(signal=self.setting.signal), state=final(self.recipe))

    @cached_property
    def response(self) -> Reading:
        """How much noise alone moves the logits."""
        return Reading(measure=NoiseResponse(signal=self.setting.signal), state=final(self.recipe))

    @cached_property
    def neurons(self) -> Reading:
        """Usable signal neurons, and classes without any, right after pruning."""
        state = StateRef(run=self.recipe, moment=PRUNED)
        return Reading(measure=SignalNeurons(signal=self.setting.signal), state=state)

    @cached_property
    def displacement(self) -> Combined:
        """How far training moved the weights from where pruning left them."""
        states = (StateRef(run=self.recipe, moment=PRUNED), final(self.recipe))
        vectors = tuple(Reading(measure=WeightVector(), state=state) for state in states)
        return Combined(function="prunescope.measures.displacement:displacement", inputs=vectors)

    @property
    def nodes(self) -> tuple[Value, ...]:
        """All readings but the displacement, which stores all weights."""
        return (self.test, self.train, self.features, self.response, self.neurons)

    @property
    def errors(self) -> tuple[Value, ...]:
        """The readings of errors alone, for large grids."""
        return (self.test, self.train)


@dataclass(frozen=True)
class Sweep:
    """One setting at several keep probabilities, each with the same replicates."""

    setting: Setting
    keeps: tuple[float, ...]
    replicates: int

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every network, by keep probability and replicate."""
        dense = [self.setting.dense(number) for number in range(self.replicates)]
        return tuple(
            Point(self.setting, keep, number, pruned(recipe, keep))
            for keep in self.keeps
            for number, recipe in enumerate(dense)
        )

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        return [node for point in self.points for node in point.nodes]

    def row(self, keep: float) -> list[Point]:
        """The replicates at one keep probability, in order. Raises UsageError if there are none."""
        found = [point for point in self.points if point.keep == keep]
        if not found:
            raise UsageError(
                f"no run keeps a weight with probability {keep:g}; there are {', '.join(map(str, self.keeps))}"
            )
        return found

    def trained(self, results: Results, *keeps: float) -> list[int]:
        """The replicates that reached their target loss at all of these keep probabilities."""
        rows = [self.row(keep) for keep in keeps]
        return [
            number
            for number in range(self.replicates)
            if all(is_trained(results, row[number]) for row in rows)
        ]

    def values(
        self, results: Results, keep: float, reading: str, name: str, *, among: Sequence[int]
    ) -> Numbers:
        """The number `name` of every point's reading called `reading`, of the replicates `among`: [len(among)]."""
        row = self.row(keep)
        return column(results, [getattr(row[number], reading) for number in among], name=name)

    def are_trained(self, *keeps: float, at_least: float = 80.0) -> Precondition:
        """Most replicates reached their target loss at these keep probabilities; the share is proposed."""
        names = ", ".join(f"{keep:g}" for keep in keeps)
        return Precondition(
            f"runs that keep {names} of their weights reach the target training loss",
            lambda results: 100 * len(self.trained(results, *keeps)) / self.replicates,
            at_least=at_least,
            unit="% of replicates",
        )


def is_trained(results: Results, point: Point) -> bool:
    """Whether a run reached its target loss within its step limit; one that diverged did not.

    Raises a PrunescopeError if it was not run.
    """
    try:
        within = float(results[point.recipe]["steps"]) < point.setting.most_steps
    except Failed:
        return False
    return within or float(results[point.train]["loss"]) <= point.setting.target


def ended(results: Results, points: Iterable[Point]) -> list[Point]:
    """The points whose run has ended, also by diverging."""

    def has_ended(point: Point) -> bool:
        try:
            return bool(results[point.recipe])
        except Failed:
            return True
        except Missing:
            return False

    return [point for point in points if has_ended(point)]


def available(results: Results, points: Iterable[Point], *readings: str) -> list[Point]:
    """The points whose run, errors and other named readings are there: a failed run leaves a gap, not a hole."""
    names = ("test", "train", *readings)
    return [p for p in points if p.recipe in results and all(getattr(p, name) in results for name in names)]


def trained_or_nan(results: Results, point: Point, value: float) -> float:
    """The value of a trained run; NaN, which is not drawn, for a run that missed its target."""
    return value if is_trained(results, point) else np.nan
