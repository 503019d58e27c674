"""Other ways to prune or to train: chains of runs beside the benchmark's own arms.

Belongs here: what a variant is, how it is drawn. Does not belong here: which variants a study compares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.leave_out import test_risk
from prunescope.runs.recipe import Recipe
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.results import Results, column

Maker = Callable[[Recipe], Mapping[int, Recipe]]
"""From a dense recipe to recipes by level."""


@dataclass(frozen=True)
class Variant:
    """One way to get from a dense network to each of some levels, at one noise level; level 0 is the dense network."""

    bench: Benchmark
    name: str
    noise: float
    make: Maker

    @cached_property
    def chains(self) -> list[Mapping[int, Recipe]]:
        """Recipes by level, one mapping a replicate."""
        return [self.make(point.recipe) for point in self.bench.row("dense", self.noise, 0)]

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        return [test_risk(run) for chain in self.chains for run in chain.values()]

    def errors(self, results: Results, level: int) -> Numbers:
        """Test errors in percent, [replicates]."""
        return 100 * column(results, [test_risk(chain[level]) for chain in self.chains], name="error")

    def at_best(self, results: Results) -> Numbers:
        """Test errors in percent at the level of least mean error, [replicates]."""
        levels = list(self.chains[0])
        return min((self.errors(results, level) for level in levels), key=lambda row: float(np.mean(row)))

    def rows(self, results: Results) -> list[dict[str, object]]:
        """The rows of a figure; a run that failed leaves a gap."""
        return [
            {
                "panel": noise_name(self.noise),
                "series": self.name,
                "replicate": number,
                "level": level,
                "weights_remaining": 100 * 0.8**level,
                "sparsity": 100 * float(results[run]["sparsity"]),
                "parameters": int(results[run]["parameters"]),
                "test_error": 100 * float(results[test_risk(run)]["error"]),
            }
            for number, chain in enumerate(self.chains)
            for level, run in chain.items()
            if test_risk(run) in results and run in results
        ]


def by_level(chain: Sequence[Recipe]) -> dict[int, Recipe]:
    """A chain as recipes by level."""
    return dict(enumerate(chain))


def figure(variants: Sequence[Variant], *, name: str, title: str, caption: str) -> Figure:
    """Test errors of variants over their levels, one panel a noise level."""
    lineage: dict[str, list[Value]] = {}
    for variant in variants:
        lineage.setdefault(variant.name, []).extend(run for chain in variant.chains for run in chain.values())
    return Figure(
        name,
        title,
        caption=caption,
        table=lambda results: [row for variant in variants for row in variant.rows(results)],
        plot=Lines(
            "weights_remaining",
            "test_error",
            series="series",
            x_label="weights remaining by the schedule, %",
            y_label="test error, %",
            log_x=True,
            reverse_x=True,
            share_y=False,
            star="lowest",
        ),
        lineage=lineage,
    )
