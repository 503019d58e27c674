"""Other ways to prune or to train: chains of runs beside the benchmark's own arms.

Belongs here: what a variant is, how it is drawn. Does not belong here: which variants a study compares.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from prunescope.base.errors import StoreError
from prunescope.base.value import Value
from prunescope.measures import Risk
from prunescope.measures.measure import SplitName
from prunescope.papers.jin2022.arms import Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.leave_out import test_risk
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.claim import Precondition
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
        runs = [run for chain in self.chains for run in chain.values()]
        return list(dict.fromkeys(node for run in runs for node in (test_risk(run), self.selector(run))))

    def selector(self, run: Recipe) -> Reading:
        """What a level is chosen by: error on held-out examples if there are any, else on the test set."""
        split: SplitName = "validation" if run.task.data.validation > 0 else "test"
        return Reading(measure=Risk(split=split), state=final(run))

    def best_level(self, results: Results, levels: Iterable[int] | None = None) -> int:
        """The level of least mean error among some (by default all) that every replicate reached.

        A level is not reached where a run failed, as when a layer lost all its weights. Raises StoreError if none is.
        """
        reached = [
            level
            for level in (self.chains[0] if levels is None else levels)
            if all(self.selector(chain[level]) in results for chain in self.chains)
        ]
        if not reached:
            raise StoreError(
                f"no level of '{self.name}' is there for every replicate: not run yet, or failed"
            )
        means = [
            column(results, [self.selector(c[n]) for c in self.chains], name="error").mean() for n in reached
        ]
        return reached[int(np.argmin(means))]

    def at_best(self, results: Results, levels: Iterable[int] | None = None) -> Numbers:
        """Test errors in percent at that level, [replicates]."""
        level = self.best_level(results, levels)
        return 100 * column(results, [test_risk(chain[level]) for chain in self.chains], name="error")

    @property
    def optimum_inside(self) -> Precondition:
        """The best level is not the last one, after which a better one may follow; for a study's cautions."""
        return Precondition(
            f"at {noise_name(self.noise)}, the best level of '{self.name}' comes before its last one",
            lambda r: float(self.best_level(r)),
            at_most=max(self.chains[0]) - 1,
            unit="(level chosen; the chain is too short to show the optimum)",
        )

    def rows(self, results: Results) -> list[dict[str, object]]:
        """The rows of a figure; a run that failed leaves a gap."""
        best: int | None = None
        with contextlib.suppress(StoreError):
            best = self.best_level(results)
        return [
            {
                "panel": noise_name(self.noise),
                "series": self.name,
                "replicate": number,
                "level": level,
                "chosen": level == best,
                "weights_remaining": 100 * 0.8**level,
                "sparsity": 100 * float(results[run]["sparsity"]),
                "parameters": int(results[run]["parameters"]),
                "epochs": _epochs(results, run),
                "test_error": 100 * float(results[test_risk(run)]["error"]),
            }
            for number, chain in enumerate(self.chains)
            for level, run in chain.items()
            if test_risk(run) in results and run in results
        ]


def by_level(chain: Sequence[Recipe]) -> dict[int, Recipe]:
    """A chain as recipes by level."""
    return dict(enumerate(chain))


def _epochs(results: Results, run: Recipe) -> float:
    """Epochs of training over all levels."""
    return float(results[run]["step"]) / run.clock().epoch_steps


def figure(
    variants: Sequence[Variant],
    *,
    name: str,
    title: str,
    caption: str,
    over: Literal["weights_remaining", "epochs"] = "weights_remaining",
) -> Figure:
    """Test errors of variants over their levels or over all their epochs of training, one panel a noise level."""
    sparsity = over == "weights_remaining"
    lineage: dict[str, list[Value]] = {}
    for variant in variants:
        lineage.setdefault(variant.name, []).extend(run for chain in variant.chains for run in chain.values())
    return Figure(
        name,
        title,
        caption=caption,
        table=lambda results: [row for variant in variants for row in variant.rows(results)],
        plot=Lines(
            over,
            "test_error",
            series="series",
            x_label="weights remaining by the schedule, %" if sparsity else "epochs of training in all",
            y_label="test error, %",
            log_x=sparsity,
            reverse_x=sparsity,
            share_y=False,
            star="chosen",
        ),
        lineage=lineage,
    )
