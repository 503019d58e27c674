"""The arms of Jin et al. 2022: dense, pruned, extended, width, at several noise levels and replicates.

Belongs here: which runs and readings a benchmark needs, shared by all figures. Does not belong here: figures and
claims.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Risk
from prunescope.runs.families import extended, final, imp, width, with_data
from prunescope.runs.graph import Reading, Trace
from prunescope.runs.recipe import Recipe
from prunescope.studies.results import Results, column
from prunescope.training.interventions import Prune
from prunescope.training.probes import Curve

Arm = Literal["dense", "pruned", "extended", "width"]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """One network of one arm; level 0 of every arm is the same dense network."""

    arm: Arm
    noise: float
    replicate: int
    level: int
    recipe: Recipe

    @cached_property
    def test(self) -> Reading:
        """Error and loss on the test set."""
        return Reading(measure=Risk(split="test"), state=final(self.recipe))

    @cached_property
    def train(self) -> Reading:
        """Error and loss on the training set, on original and noisy examples."""
        return Reading(measure=Risk(split="train"), state=final(self.recipe))

    @cached_property
    def curve(self) -> Trace:
        """Test error and loss after every epoch."""
        return Trace(probe=Curve(split="test"), run=self.recipe)


@dataclass(frozen=True)
class Benchmark:
    """All arms of one benchmark.

    base: the dense recipe without noise. levels: pruning and extension levels beyond the dense one;
    width_levels: width steps (0 leaves that arm out). rewind: where the schedule starts again.
    """

    base: Recipe
    noises: tuple[float, ...]
    replicates: int
    levels: int
    width_levels: int
    rewind: Duration
    prune: Prune
    curves: bool = True

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every network, level 0 of each arm included."""
        return tuple(self._points())

    def _points(self) -> Iterator[Point]:
        for noise in self.noises:
            for number in range(self.replicates):
                base = with_data(self.base, label_noise=noise).replace(seeds=replicate(number))
                chains: dict[Arm, list[Recipe]] = {
                    "dense": [base],
                    "pruned": imp(base, levels=self.levels, prune=self.prune, rewind=self.rewind),
                    "extended": extended(base, levels=self.levels, rewind=self.rewind),
                }
                if self.width_levels:
                    chains["width"] = width(base, levels=self.width_levels)
                for arm, chain in chains.items():
                    for level, recipe in enumerate(chain):
                        yield Point(arm, noise, number, level, recipe)

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        nodes: list[Value] = []
        for point in self.points:
            nodes += [point.test, point.train]
            nodes += [point.curve] if self.curves else []
        return nodes

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms beyond the dense network."""
        return ("pruned", "extended", "width") if self.width_levels else ("pruned", "extended")

    def row(self, arm: Arm, noise: float, level: int) -> list[Point]:
        """The replicates of one network of an arm, in order.

        Raises UsageError if there is no such network.
        """
        found = [p for p in self.points if (p.arm, p.noise, p.level) == (arm, noise, level)]
        if not found:
            raise UsageError(f"there is no arm {arm!r} at noise {noise} and level {level} in this benchmark")
        return found

    def depth(self, arm: Arm) -> int:
        """The last level of an arm."""
        return {"dense": 0, "width": self.width_levels}.get(arm, self.levels)

    def test_errors(self, results: Results, arm: Arm, noise: float) -> Numbers:
        """Test errors in percent, [levels + 1, replicates]."""
        rows = [self.row(arm, noise, level) for level in range(self.depth(arm) + 1)]
        return np.stack([100 * column(results, [p.test for p in row], name="error") for row in rows])

    def best_level(self, results: Results, arm: Arm, noise: float) -> int:
        """The level of least mean test error, the dense network included.

        Source: Jin et al. 2022, section 2 (optimal sparsity).
        Differs from the source: selected on the test set, as the paper's own library has no validation split.
        """
        return int(self.test_errors(results, arm, noise).mean(1).argmin())

    def at_best(self, results: Results, arm: Arm, noise: float) -> Numbers:
        """Test errors in percent at the arm's best level, [replicates]."""
        return np.asarray(self.test_errors(results, arm, noise)[self.best_level(results, arm, noise)])

    def train_values(self, results: Results, arm: Arm, noise: float, level: int, *, name: str) -> Numbers:
        """A value of the training-set readings, [replicates]."""
        return column(results, [p.train for p in self.row(arm, noise, level)], name=name)

    def remaining(self, results: Results, point: Point) -> float:
        """The x coordinate of a network: weights remaining, percent.

        Pruned: of the maskable weights. Width: parameters over the full network's. Extended, which removes
        nothing: of the pruned network that has trained as long.
        """
        if point.arm == "width":
            full = self.row("width", point.noise, 0)[point.replicate]
            return 100 * float(results[point.recipe]["parameters"] / results[full.recipe]["parameters"])
        twin = point
        if point.arm == "extended":
            twin = self.row("pruned", point.noise, point.level)[point.replicate]
        return 100 * (1 - float(results[twin.recipe]["sparsity"]))


def noise_name(noise: float) -> str:
    """A noise level for people: "no label noise", "15 % label noise"."""
    return f"{100 * noise:g} % label noise" if noise else "no label noise"


def available(results: Results, points: Sequence[Point]) -> list[Point]:
    """The points whose readings are there: a failed run leaves a gap in a figure, not a hole in a page."""
    return [p for p in points if p.test in results and p.train in results and p.recipe in results]
