"""Other ways to prune or to train: chains of runs beside the benchmark's own arms, and how they are drawn."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.base.errors import PrunescopeError
from prunescope.papers.jin2022.arms import Benchmark, selector
from prunescope.papers.jin2022.quantities import ERROR, TOO_SHORT
from prunescope.papers.readings import noise_name, risk_on_test
from prunescope.runs.store.results import Failed
from prunescope.studies import selection

Maker = Callable[[ps.Recipe], Sequence[ps.Recipe] | Mapping[int, ps.Recipe]]
"""From a dense recipe to those of levels 0, 1, 2, ..., or of some levels, by level."""


@dataclass(frozen=True)
class Variant:
    """One way to get from a dense network to each of some levels, at one noise level; level 0 is the dense network."""

    bench: Benchmark
    name: str
    noise: float
    make: Maker

    @cached_property
    def levels(self) -> Mapping[int, list[ps.Recipe]]:
        """Recipes by level, one a replicate each."""
        chains = [self.make(point.recipe) for point in self.bench.row("dense", self.noise, 0)]
        levels = chains[0] if isinstance(chains[0], Mapping) else range(len(chains[0]))
        return {level: [chain[level] for chain in chains] for level in levels}

    def error(self, level: int) -> ps.Quantity:
        """Test error of one level, percent."""
        tests = map(risk_on_test, self.levels[level])
        return ps.column(tests, "error", scale=100, label=self.name, unit=ERROR)

    def best_level(self, *levels: int) -> ps.Quantity:
        """The level of least mean error among some (by default all) that every replicate reached.

        A level is not reached where a run failed, as when a layer lost all its weights. Reading it raises Failed if
        none is.
        """
        wrong = {n: ps.each(selection.wrong_answers, map(selector, self.levels[n])) for n in levels or self.levels}

        def of(results: ps.Results) -> int:
            sums: dict[int, float] = {}
            for level, answers in wrong.items():
                with contextlib.suppress(Failed):
                    sums[level] = answers(results).sum()
            if not sums:
                raise Failed(f"at no level of '{self.name}' every replicate has a result; runs failed")
            return min(sums, key=sums.__getitem__)

        return ps.Quantity("", "(level chosen)", ps.nodes_of(wrong.values()), of)

    def at_best(self, *levels: int) -> ps.Quantity:
        """Test error at that level, percent."""
        best, tests = self.best_level(*levels), ps.nodes_of(map(self.error, levels or self.levels))
        return ps.Quantity(self.name, ERROR, (*best.nodes, *tests), lambda r: self.error(int(best(r)))(r))

    @property
    def optimum_inside(self) -> ps.Precondition:
        """The best level is not the last one, after which a better one may follow; for a study's cautions."""
        says = f"at {noise_name(self.noise)}, the best level of '{self.name}' comes before its last one"
        beyond = self.best_level().map(lambda best: max(self.levels) - best, unit=TOO_SHORT)
        return ps.Precondition(says, beyond, at_least=1)

    @property
    def rows(self) -> ps.Rows:
        """All levels, as a figure shows them; a run that failed leaves a gap."""
        best = self.best_level()

        def chosen(results: ps.Results) -> NDArray[np.bool_]:
            level = -1
            with contextlib.suppress(PrunescopeError):
                level = int(best(results))
            return np.tile(np.array(list(self.levels)) == level, (self.bench.replicates, 1))

        def of_runs(name: str, scale: float = 1.0) -> ps.Quantity:
            return ps.side_by_side([ps.column(runs, name, scale=scale) for runs in self.levels.values()])

        values = {
            "chosen": ps.Quantity("", "", best.nodes, chosen),
            "sparsity": of_runs("sparsity", 100),
            "parameters": of_runs("parameters"),
            "epochs": of_runs("step", 1 / self.bench.base.clock().epoch_steps),
            "test_error": ps.side_by_side([self.error(level) for level in self.levels]),
        }
        scheduled = [100 * self.bench.keeps**n for n in self.levels]
        labels = {"panel": noise_name(self.noise), "series": self.name}
        return ps.Rows(labels, values, parts={"level": list(self.levels), "weights_remaining": scheduled})


def figure(
    variants: Iterable[Variant],
    name: str,
    title: str,
    caption: str,
    *,
    over: Literal["weights_remaining", "epochs"] = "weights_remaining",
    claims: Iterable[ps.Claim] = (),
) -> ps.Figure:
    """Test errors of variants over their levels or over all their epochs of training, one panel a noise level."""
    sparsity = over == "weights_remaining"
    plot = ps.Lines(
        over,
        "test_error",
        series="series",
        x_label="weights remaining by the schedule, %" if sparsity else "epochs of training in all",
        y_label="test error, %",
        log_x=sparsity,
        reverse_x=sparsity,
        share_y=False,
        star="chosen",
    )
    rows = [variant.rows for variant in variants]
    return ps.Figure(name, title, caption=caption, rows=rows, plot=plot, claims=tuple(claims))
