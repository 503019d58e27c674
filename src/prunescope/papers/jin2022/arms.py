"""The arms of Jin et al. 2022: dense, pruned, extended, width, at several noise levels and replicates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.base.streams import replicate
from prunescope.measures import Halves
from prunescope.papers.readings import at_end, risk_on_test, risk_on_train

Arm = Literal["dense", "pruned", "extended", "width"]
LABELS: dict[Arm, str] = {"dense": "dense", "pruned": "pruned", "extended": "extended dense", "width": "width-scaled"}
"""The arms as figures call them."""
Rule = Literal["optimal", "highest_improving"]
"""Which level of an arm: of least error, or the last that errs less than the dense network."""
Numbers = NDArray[np.float64]


def selects_on(recipe: ps.Recipe) -> Literal["validation", "test"]:
    """The examples on which levels and epochs are chosen: held-out ones if there are any."""
    return "validation" if recipe.task.data.validation > 0 else "test"


def selector(recipe: ps.Recipe) -> ps.Reading:
    """What an optimum is chosen by: error on held-out examples if there are any, else on the test set."""
    return at_end(recipe, ps.Risk(split=selects_on(recipe)))


@dataclass(frozen=True)
class Point:
    """One network of one arm; level 0 of every arm is the same dense network.

    test, train: its risks on the test and on the training set.
    selector: what an optimum is chosen by.
    halves: errors on the two halves of the test set.
    examples: loss and prediction of every training example.
    curve, selecting_curve: error and loss after every epoch, on the test set, and on what an epoch is chosen by.
    """

    arm: Arm
    noise: float
    replicate: int
    level: int
    recipe: ps.Recipe

    test = cached_property(lambda self: risk_on_test(self.recipe))
    train = cached_property(lambda self: risk_on_train(self.recipe))
    selector = cached_property(lambda self: selector(self.recipe))
    halves = cached_property(lambda self: at_end(self.recipe, Halves(split="test")))
    examples = cached_property(lambda self: at_end(self.recipe, ps.Examples()))
    curve = cached_property(lambda self: ps.Trace(probe=ps.Curve(split="test"), run=self.recipe))
    selecting_curve = cached_property(
        lambda self: ps.Trace(probe=ps.Curve(split=selects_on(self.recipe)), run=self.recipe)
    )


@dataclass(frozen=True)
class Benchmark:
    """All arms of one benchmark.

    base: the dense recipe without noise.
    noises: shares of wrong training labels.
    replicates: networks of every kind.
    levels: of pruning, beyond the dense network.
    width_levels: width steps, one number or by noise level; 0, or a noise level that is not named: without that arm.
    rewind: where the schedule starts again.
    prune: what a level removes; by default 20 % of the remaining weights, smallest magnitude, global.
    fits: training accuracy, percent, from which the dense network fits clean data.
    extended_levels: replays of extended training, likewise; by default as many as levels.
    name: as in the table of benchmarks, empty for one that is not there.
    first: number of the first replicate.
    """

    base: ps.Recipe
    noises: tuple[float, ...]
    replicates: int
    levels: int
    width_levels: int | Mapping[float, int] = 0
    rewind: ps.Duration = "0ep"
    prune: ps.Prune = field(default_factory=lambda: ps.Prune(amount=ps.Remaining(fraction=0.2)))
    fits: float = 99.0
    extended_levels: int | Mapping[float, int] | None = None
    name: str = ""
    first: int = 0

    @property
    def keeps(self) -> float:
        """The share of the remaining weights that a level of pruning keeps."""
        amount = self.prune.amount
        return 1 - amount.fraction if isinstance(amount, ps.Remaining) else 0.8

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every network, level 0 of each arm included."""
        return tuple(self._points())

    def _points(self) -> Iterator[Point]:
        for noise in self.noises:
            for number in range(self.replicates):
                seeds = replicate(self.first + number)
                base = ps.with_data(self.base, label_noise=noise).replace(seeds=seeds)
                chains: dict[Arm, list[ps.Recipe]] = {
                    "dense": [base],
                    "pruned": ps.imp(base, levels=self.levels, prune=self.prune, rewind=self.rewind),
                    "extended": ps.extended(base, levels=self.depth("extended", noise), rewind=self.rewind),
                }
                if steps := self.depth("width", noise):
                    chains["width"] = ps.width(base, levels=steps)
                for arm, chain in chains.items():
                    for level, recipe in enumerate(chain):
                        yield Point(arm, noise, number, level, recipe)

    def row(self, arm: Arm, noise: float, level: int) -> list[Point]:
        """The replicates of one network of an arm, in order.

        Raises UsageError if there is no such network.
        """
        if (arm, noise, level) not in self._rows:
            raise ps.UsageError(f"there is no arm {arm!r} at noise {noise} and level {level} in this benchmark")
        return self._rows[arm, noise, level]

    @cached_property
    def _rows(self) -> dict[tuple[Arm, float, int], list[Point]]:
        rows: dict[tuple[Arm, float, int], list[Point]] = {}
        for point in self.points:
            rows.setdefault((point.arm, point.noise, point.level), []).append(point)
        return rows

    def depth(self, arm: Arm, noise: float) -> int:
        """The last level of an arm at a noise level; 0 if the arm is not run there."""
        longest = self.levels if self.extended_levels is None else _at(self.extended_levels, noise)
        narrowest = _at(self.width_levels, noise)
        return {"dense": 0, "pruned": self.levels, "extended": longest, "width": narrowest}[arm]

    def levels_of(self, arm: Arm, noise: float) -> range:
        """The levels of an arm at a noise level, the dense network's included."""
        return range(self.depth(arm, noise) + 1)

    def noises_of(self, *arms: Arm) -> tuple[float, ...]:
        """The noise levels at which all of these arms are run."""
        return tuple(noise for noise in self.noises if all(self.depth(arm, noise) for arm in arms))

    def noisy(self, arm: Arm = "pruned") -> tuple[float, ...]:
        """The noise levels above 0 at which an arm is run."""
        return tuple(noise for noise in self.noises_of(arm) if noise > 0)

    def chain(self, arm: Arm, noise: float) -> list[list[Point]]:
        """All networks of an arm: level by level, the replicates of each in order."""
        return [self.row(arm, noise, level) for level in self.levels_of(arm, noise)]

    def chosen(self, arm: Arm, noise: float, *, rule: Rule = "optimal") -> list[ps.Chosen]:
        """The run at the level that a rule picks, one a replicate, for what is planned before errors are known."""
        chain = self.chain(arm, noise)
        inputs = tuple(point.selector for row in chain for point in row)
        return [
            ps.Chosen(
                among=tuple(row[number].recipe for row in chain),
                inputs=inputs,
                rule=f"prunescope.studies.selection:choose_{rule}",
                args={"replicates": self.replicates},
            )
            for number in range(self.replicates)
        ]


def _at(levels: int | Mapping[float, int], noise: float) -> int:
    return levels if isinstance(levels, int) else levels.get(noise, 0)
