"""The runs of pruning at initialization on data: methods, noise levels, replicates, sparsities.

Belongs here: which runs and readings there are, and numbers lined up over replicates. Does not belong here: figures
(`views.py`) and claims.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.value import Value
from prunescope.papers.atinit.ground import Ground, density
from prunescope.papers.atinit.methods import DENSE, REWOUND, Method
from prunescope.papers.readings import Trained, layer_sparsity
from prunescope.runs.graph.families import during_training, final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Sparsity
from prunescope.studies.results import Numbers, Results, column
from prunescope.training.interventions import Prune, Rewind


@dataclass(frozen=True)
class Point(Trained):
    """One network: a method, a noise level, an exponent of the density (0 is the dense network), a replicate."""

    method: str
    noise: float
    exponent: int
    replicate: int
    recipe: Recipe

    @cached_property
    def layers(self) -> Reading:
        """Sparsity of every layer."""
        return layer_sparsity(self.recipe)

    @property
    def nodes(self) -> tuple[Reading, ...]:
        """All readings."""
        return (self.test, self.train, self.layers)


@dataclass(frozen=True)
class Arms:
    """Some methods on common ground; the dense network belongs to every method as exponent 0.

    rewound: whether the masks of iterative magnitude pruning, rewound to initialization, are among the methods.
    """

    ground: Ground
    methods: tuple[Method, ...]
    rewound: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The methods, without the dense network."""
        return (*(method.name for method in self.methods), *([REWOUND] if self.rewound else []))

    @property
    def classes(self) -> int:
        """How many classes the network tells apart."""
        return int(str(self.points[0].recipe.task.network.args["classes"]))

    @property
    def guessing(self) -> float:
        """The error of guessing, percent."""
        return 100 * (1 - 1 / self.classes)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every network, the dense ones once."""
        ground = self.ground
        found: list[Point] = []
        for noise in ground.noises:
            for number in range(ground.replicates):
                dense = ground.dense(noise, number)
                found.append(Point(DENSE, noise, 0, number, dense))
                runs = [
                    (m.name, e, during_training(dense, *m.make(density(e))))
                    for m in self.methods
                    for e in ground.exponents
                ]
                if self.rewound:
                    chain = tickets(dense, ground.exponents)
                    runs += [(REWOUND, e, run) for e, run in zip(ground.exponents, chain, strict=True)]
                found += [Point(name, noise, e, number, run) for name, e, run in runs]
        return tuple(found)

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        return [node for point in self.points for node in point.nodes]

    @cached_property
    def _rows(self) -> dict[tuple[str, float, int], list[Point]]:
        rows: dict[tuple[str, float, int], list[Point]] = {}
        for point in self.points:
            rows.setdefault((point.method, point.noise, point.exponent), []).append(point)
        return rows

    def row(self, method: str, noise: float, exponent: int) -> list[Point]:
        """The replicates of one network, in order; exponent 0 is the dense network, whatever the method.

        Raises UsageError if there is no such network.
        """
        key = (DENSE if exponent == 0 else method, noise, exponent)
        if key not in self._rows or method not in (DENSE, *self.names):
            raise UsageError(
                f"there is no network of {method!r} at {100 * noise:g} % label noise and 0.8^{exponent} of the "
                f"weights; there are {', '.join(self.names)}, exponents {self.ground.exponents}"
            )
        return self._rows[key]

    def percent(
        self, results: Results, method: str, noise: float, exponent: int, *, split: str = "test"
    ) -> Numbers:
        """Errors in percent on "test" or "train", [replicates]."""
        row = self.row(method, noise, exponent)
        return 100 * column(results, [p.test if split == "test" else p.train for p in row], name="error")

    def threshold(self, method: str, noise: float, replicate: int, *, split: str, margin: float) -> Combined:
        """Up to which sparsity a replicate's error is the dense network's; see `studies.thresholds.threshold`."""
        dense = self.row(DENSE, noise, 0)
        curve = [dense[replicate], *(self.row(method, noise, e)[replicate] for e in self.ground.exponents)]

        def risk(point: Point) -> Reading:
            return point.test if split == "test" else point.train

        inputs = [risk(p) for p in dense] + [node for p in curve for node in (risk(p), p.layers)]
        return Combined(
            function="prunescope.studies.thresholds:threshold",
            inputs=tuple(inputs),
            args={"replicates": len(dense), "margin": margin},
        )

    def collapsed(self, results: Results, point: Point) -> list[str]:
        """The layers that have lost every weight."""
        reading = results[point.layers]
        return [name for name, value in sorted(reading.items()) if name != "sparsity" and float(value) == 1.0]


def tickets(dense: Recipe, exponents: Iterable[int]) -> list[Recipe]:
    """Iterative magnitude pruning with weights rewound to their first values: one recipe an exponent.

    Each starts from the trained weights of the one before, prunes the smallest of all layers to its density, puts
    back the values from before the first step, and trains in full.

    Source: Frankle and Carbin 2019, section 2. Differs from the source: from density to density of the study instead
    of 20 % a level, so that all methods meet at the same sparsities.
    """
    first = StateRef(run=dense, moment=Moment(when="step", at="0it"))
    chain = [dense]
    for exponent in exponents:
        amount = Sparsity(final=round(1 - density(exponent), 6))
        prune = Prune(amount=amount, allow_collapse=True)
        chain.append(dense.replace(start=final(chain[-1]), interventions=(prune, Rewind(to=first))))
    return chain[1:]


def available(results: Results, points: Sequence[Point]) -> list[Point]:
    """The points whose readings are there: a failed run leaves a gap in a figure, not a hole in a page."""
    return [p for p in points if all(node in results for node in p.nodes)]


def remaining(results: Results, point: Point) -> float:
    """Weights that remain, percent: measured, not asked for."""
    return 100 * (1 - float(np.asarray(results[point.layers]["sparsity"])))
