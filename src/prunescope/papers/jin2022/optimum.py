"""jin2022/optimum: what the choice of the optimal sparsity on the test set is worth."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from prunescope.papers.jin2022 import statements
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import POINTS, fits_noise
from prunescope.studies import selection
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines
from prunescope.studies.region import Direction
from prunescope.studies.results import Results, column
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

Way = Callable[[Benchmark, Results, float], Numbers]
"""From a noise level to test errors in percent, [replicates]."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    shown: tuple[Arm, ...] = ("pruned", "extended")
    halves = [point.halves for point in bench.points if point.arm in ("dense", *shown)]
    return Study(
        "jin2022/optimum",
        "How much of pruning's gain comes from choosing the best of many levels on the test set?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[*bench.nodes_of(*shown), *dict.fromkeys(halves)],
        figures=(_figure(bench),),
        cautions=statements.optima_inside(bench, *shown),
        claims=statements.at_each_noise(bench, _survives_cross_fitting, _survives_equal_chances),
        notes=(
            *notes(size),
            "Cross-fitted: the level is chosen on one half of the test set and judged on the other, both ways. With "
            "validation=N the level, and the epoch of the dense network, are chosen on N training examples held out, "
            "whose labels are right; that needs runs of its own.",
        ),
    )


def dense_at_end(bench: Benchmark, results: Results, noise: float) -> Numbers:
    """The dense network after its last epoch."""
    return np.asarray(bench.test_errors(results, "dense", noise)[0])


def dense_with_equal_chances(bench: Benchmark, results: Results, noise: float) -> Numbers:
    """The dense network at the best of its last n epochs, n the number of levels that pruning chooses among."""
    return bench.at_best_epoch(results, noise, among=bench.levels + 1)


def cross_fitted(bench: Benchmark, results: Results, noise: float, *, arm: Arm = "pruned") -> Numbers:
    """An arm at its optimum, chosen on one half of the test set and judged on the other."""
    chain = bench.chain(arm, noise)
    even, odd = (
        np.stack([100 * column(results, [p.halves for p in row], name=f"{half}_error") for row in chain])
        for half in ("even", "odd")
    )
    return selection.cross_fitted(even, odd)


def ways(bench: Benchmark, noise: float) -> Mapping[str, Way]:
    """Every way to choose at a noise level, by name."""
    longer = noise in bench.noises_of("extended")
    on = "held-out examples" if bench.base.task.data.validation else "the test set"
    return {
        "dense": dense_at_end,
        f"dense, best of its last {bench.levels + 1} epochs": dense_with_equal_chances,
        f"pruned, chosen on {on}": lambda b, r, noise: b.at_best(r, "pruned", noise),
        "pruned, cross-fitted": cross_fitted,
        **({"extended, cross-fitted": partial(cross_fitted, arm="extended")} if longer else {}),
    }


def _figure(bench: Benchmark) -> Figure:
    def table(results: Results) -> list[dict[str, object]]:
        return [
            {"way": name, "noise": 100 * noise, "replicate": number, "test_error": float(error)}
            for noise in bench.noises
            for name, way in ways(bench, noise).items()
            for number, error in enumerate(way(bench, results, noise))
        ]

    return Figure(
        "optimum",
        "Test error by the way in which the optimum is chosen",
        caption="Choosing the best of many levels on the test set flatters whoever has many levels. Beside it the same "
        "choice on other examples than those that judge it, and a dense network with as many chances.",
        table=table,
        plot=Lines("noise", "test_error", series="way", x_label="label noise, %", y_label="test error, %"),
        lineage={"all": [point.recipe for point in bench.points if point.arm != "width"]},
    )


def _survives_cross_fitting(bench: Benchmark, noise: float) -> Claim:
    return Claim(
        "gain-survives-cross-fitting",
        f"At {noise_name(noise)}, pruning at a level chosen on other test examples than those that judge it has a "
        "lower test error than the dense network.",
        basis="proposed",
        place="proposed here: Jin et al. 2022, Fig. 3, without the bias of its choice",
        region=Direction("greater"),
        sample=lambda r: dense_at_end(bench, r, noise) - cross_fitted(bench, r, noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, dense minus pruned",
    )


def _survives_equal_chances(bench: Benchmark, noise: float) -> Claim:
    return Claim(
        "gain-survives-equal-chances",
        f"At {noise_name(noise)}, pruning at its best level has a lower test error than the dense network at the best "
        "of as many epochs.",
        basis="proposed",
        place="proposed here: Jin et al. 2022, Fig. 3, with the same chances for the dense network",
        region=Direction("greater"),
        sample=lambda r: dense_with_equal_chances(bench, r, noise) - bench.at_best(r, "pruned", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, dense minus pruned",
    )
