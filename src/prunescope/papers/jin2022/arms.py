"""The arms of Jin et al. 2022: dense, pruned, extended, width, at several noise levels and replicates.

Belongs here: which runs and readings a benchmark needs, shared by all figures. Does not belong here: figures and
claims.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.steps import Duration
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Examples, Halves, Risk
from prunescope.papers.readings import Trained
from prunescope.runs.graph.families import extended, final, imp, width, with_data
from prunescope.runs.graph.nodes import Chosen, Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies import selection
from prunescope.studies.results import Results, column
from prunescope.training.interventions import Prune
from prunescope.training.probes import Curve

Arm = Literal["dense", "pruned", "extended", "width"]
Rule = Literal["optimal", "highest_improving"]
"""Which level of an arm: of least error, or the last that errs less than the dense network."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Point(Trained):
    """One network of one arm; level 0 of every arm is the same dense network."""

    arm: Arm
    noise: float
    replicate: int
    level: int
    recipe: Recipe

    @cached_property
    def selector(self) -> Reading:
        """What an optimum is chosen by: error on held-out examples if there are any, else on the test set."""
        return Reading(measure=Risk(split=self.selects_on), state=final(self.recipe))

    @property
    def selects_on(self) -> Literal["validation", "test"]:
        """The examples on which levels and epochs are chosen: held-out ones if there are any."""
        return "validation" if self.recipe.task.data.validation > 0 else "test"

    @cached_property
    def halves(self) -> Reading:
        """Errors on the two halves of the test set."""
        return Reading(measure=Halves(split="test"), state=final(self.recipe))

    @cached_property
    def examples(self) -> Reading:
        """Loss and prediction of every training example."""
        return Reading(measure=Examples(split="train"), state=final(self.recipe))

    @cached_property
    def curve(self) -> Trace:
        """Test error and loss after every epoch."""
        return Trace(probe=Curve(split="test"), run=self.recipe)

    @cached_property
    def selecting_curve(self) -> Trace:
        """The same on the examples by which an epoch is chosen."""
        return Trace(probe=Curve(split=self.selects_on), run=self.recipe)


@dataclass(frozen=True)
class Benchmark:
    """All arms of one benchmark.

    name: as in the table of benchmarks, empty for one that is not there. base: the dense recipe without noise.
    levels: pruning levels beyond the dense one; extended_levels: the same of extended training, by default as many, or
    by noise level (one that is not named has none); width_levels: width steps, likewise (0 leaves that arm out).
    rewind: where the schedule starts again. fits: training accuracy, percent, from which the dense network fits clean
    data.
    """

    base: Recipe
    noises: tuple[float, ...]
    replicates: int
    levels: int
    width_levels: int | Mapping[float, int]
    rewind: Duration
    prune: Prune
    curves: bool = True
    fits: float = 99.0
    extended_levels: int | Mapping[float, int] | None = None
    name: str = ""

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
                    "extended": extended(base, levels=self.depth("extended", noise), rewind=self.rewind),
                }
                if steps := self.depth("width", noise):
                    chains["width"] = width(base, levels=steps)
                for arm, chain in chains.items():
                    for level, recipe in enumerate(chain):
                        yield Point(arm, noise, number, level, recipe)

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        return self.nodes_of(*self.arms)

    def nodes_of(self, *arms: Arm, noises: Sequence[float] | None = None) -> list[Value]:
        """What is to be computed for the dense network and some arms; noises: by default all."""
        nodes: list[Value] = []
        chosen = self.noises if noises is None else noises
        for point in self.points:
            if point.arm in ("dense", *arms) and point.noise in chosen:
                nodes += [point.test, point.train, point.selector]
                nodes += [point.curve] if self.curves else []
                nodes += [point.selecting_curve] if self.curves and point.arm == "dense" else []
        return list(dict.fromkeys(nodes))

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms beyond the dense network."""
        narrower = any(self.depth("width", noise) for noise in self.noises)
        return ("pruned", "extended", "width") if narrower else ("pruned", "extended")

    def row(self, arm: Arm, noise: float, level: int) -> list[Point]:
        """The replicates of one network of an arm, in order.

        Raises UsageError if there is no such network.
        """
        if (arm, noise, level) not in self._rows:
            raise UsageError(f"there is no arm {arm!r} at noise {noise} and level {level} in this benchmark")
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

    def noises_of(self, *arms: Arm) -> tuple[float, ...]:
        """The noise levels at which all of these arms are run."""
        return tuple(noise for noise in self.noises if all(self.depth(arm, noise) for arm in arms))

    def chain(self, arm: Arm, noise: float) -> list[list[Point]]:
        """All networks of an arm: level by level, the replicates of each in order."""
        return [self.row(arm, noise, level) for level in range(self.depth(arm, noise) + 1)]

    def test_errors(self, results: Results, arm: Arm, noise: float) -> Numbers:
        """Test errors in percent, [levels + 1, replicates]."""
        return _errors(results, [[p.test for p in row] for row in self.chain(arm, noise)])

    def best_level(self, results: Results, arm: Arm, noise: float, *, rule: Rule = "optimal") -> int:
        """The level of an arm that a rule picks, by default that of least mean error, the dense network included.

        Raises UsageError for an arm without levels.

        Source: Jin et al. 2022, section 2 (optimal sparsity) and section 3 (highest improving sparsity).
        Differs from the source: it selects by validation error and does not say on which examples. Without held-out
        examples the test set itself is used here, as the library that it used has no validation split.
        """
        choose = {"optimal": selection.optimal, "highest_improving": selection.highest_improving}[rule]
        return choose(self.selected_by(results, arm, noise))

    def selected_by(self, results: Results, arm: Arm, noise: float) -> Numbers:
        """The errors in percent by which levels are chosen, [levels + 1, replicates]."""
        return _errors(results, [[p.selector for p in row] for row in self.chain(arm, noise)])

    def chosen(self, arm: Arm, noise: float, *, rule: Rule = "optimal") -> list[Chosen]:
        """The run at that level, one a replicate, for what has to be planned before errors are known."""
        chain = self.chain(arm, noise)
        inputs = tuple(point.selector for row in chain for point in row)
        return [
            Chosen(
                among=tuple(row[number].recipe for row in chain),
                inputs=inputs,
                rule=f"prunescope.studies.selection:choose_{rule}",
                args={"replicates": self.replicates},
            )
            for number in range(self.replicates)
        ]

    def at_best(self, results: Results, arm: Arm, noise: float) -> Numbers:
        """Test errors in percent at the arm's best level, [replicates]."""
        return np.asarray(self.test_errors(results, arm, noise)[self.best_level(results, arm, noise)])

    def at_best_epoch(self, results: Results, noise: float, *, among: int | None = None) -> Numbers:
        """Test errors of the dense network in percent at the best of its last epochs, [replicates].

        among: how many of them; by default all. One epoch for all replicates, chosen where levels are.
        """
        dense = self.row("dense", noise, 0)
        choosing, judging = (
            np.stack([100 * np.asarray(results[trace]["error"])[-(among or 0) :] for trace in traces], axis=1)
            for traces in ([p.selecting_curve for p in dense], [p.curve for p in dense])
        )
        return np.asarray(judging[choosing.mean(axis=1).argmin()])

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


def _at(levels: int | Mapping[float, int], noise: float) -> int:
    return levels if isinstance(levels, int) else levels.get(noise, 0)


def _errors(results: Results, rows: Sequence[Sequence[Reading]]) -> Numbers:
    """Errors in percent, [rows, replicates]."""
    return np.stack([100 * column(results, row, name="error") for row in rows])


def noise_name(noise: float) -> str:
    """A noise level for people: "no label noise", "15 % label noise"."""
    return f"{100 * noise:g} % label noise" if noise else "no label noise"


def available(results: Results, points: Sequence[Point]) -> list[Point]:
    """The points whose readings are there: a failed run leaves a gap in a figure, not a hole in a page."""
    return [p for p in points if p.test in results and p.train in results and p.recipe in results]
