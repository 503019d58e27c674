"""jin2022/controls: the controls that a reader of the paper asks for."""

from functools import partial

import numpy as np

from prunescope.papers.jin2022 import variants, views
from prunescope.papers.jin2022.arms import Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.families import extended, imp, width
from prunescope.runs.recipe import Recipe
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Results
from prunescope.studies.study import Study
from prunescope.training.schedules import Stretched

__all__ = ["SCALES", "Settings", "build"]

MARGIN = 1.0
"""Percentage points within which two test errors count as equal; proposed."""

STOPS = 4
"""At how many levels the dear controls are run: each starts anew, so it costs as much as a whole chain."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    noises = tuple(dict.fromkeys((0.0, max(size.controls))))
    found = {noise: controls(bench, noise) for noise in noises}
    every = [variant for group in found.values() for variant in group.values()]
    return Study(
        "jin2022/controls",
        "Do a smaller size and longer training together do what pruning does, and what does stopping early do?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", noises=noises),
            *(node for variant in every for node in variant.nodes),
        ],
        figures=(
            variants.figure(
                every,
                name="controls",
                title="Size, time, both, and pruning",
                caption="Test error of pruning and of dense networks that share with it the training (extended), the "
                "width factor of the level (narrower), or both; and of training as long in one stretched schedule "
                "instead of replays.",
            ),
            views.epochs_figure(bench, noises=noises),
        ),
        claims=tuple(
            claim
            for noise, group in found.items()
            for claim in (
                _both_are_enough(bench, group["pruned"], group["narrower and extended"]),
                _early_stopping_is_worse(bench, noise),
            )
        ),
    )


def controls(bench: Benchmark, noise: float) -> dict[str, Variant]:
    """The variants by name at a noise level."""
    stops = sorted({max(1, round(k * bench.levels / STOPS)) for k in range(1, STOPS + 1)})
    makers: dict[str, variants.Maker] = {
        "pruned": lambda base: by_level(
            imp(base, levels=bench.levels, prune=bench.prune, rewind=bench.rewind)
        ),
        "extended": lambda base: by_level(extended(base, levels=bench.levels, rewind=bench.rewind)),
        "narrower": lambda base: by_level(width(base, levels=bench.levels)),
        "narrower and extended": partial(_narrower_and_extended, bench, stops),
        "stretched": lambda base: {level: stretched(bench, base, level) for level in stops},
    }
    return {name: Variant(bench, name, noise, make) for name, make in makers.items()}


def _narrower_and_extended(bench: Benchmark, stops: list[int], base: Recipe) -> dict[int, Recipe]:
    widths = width(base, levels=max(stops))
    return {level: extended(widths[level], levels=level, rewind=bench.rewind)[-1] for level in stops}


def stretched(bench: Benchmark, base: Recipe, level: int) -> Recipe:
    """The dense network trained once, for as many steps as pruning to a level takes, its schedule stretched to fit."""
    clock = base.clock()
    steps = clock.total + level * (clock.total - clock.steps(bench.rewind))
    schedule = Stretched(schedule=base.schedule, factor=steps / clock.total)
    return base.replace(length=f"{steps}it", schedule=schedule)


def _both_are_enough(bench: Benchmark, pruned: Variant, both: Variant) -> Claim:
    noise = pruned.noise
    return Claim(
        f"both-are-enough-{100 * noise:g}",
        f"At {noise_name(noise)}, a narrower dense network trained as long as pruning, at its best, is within "
        f"{MARGIN:g} points of pruning at its best.",
        basis="proposed",
        place="proposed here: completes the size and time of Jin et al. 2022, section 5",
        region=Equivalence(MARGIN),
        sample=lambda r: both.at_best(r) - pruned.at_best(r),
        preconditions=(fits_noise(bench, noise) if noise else fits_clean(bench),),
        unit=f"{POINTS} of test error, both minus pruned",
    )


def _early_stopping_is_worse(bench: Benchmark, noise: float) -> Claim:
    def sample(results: Results) -> Numbers:
        traces = [100 * results[point.curve]["error"] for point in bench.row("dense", noise, 0)]
        curves = np.stack(traces, axis=1)
        return np.asarray(curves[curves.mean(axis=1).argmin()] - bench.at_best(results, "pruned", noise))

    return Claim(
        f"early-stopping-is-worse-{100 * noise:g}",
        f"At {noise_name(noise)}, the dense network at its best epoch errs more on the test set than pruning at its "
        "best level.",
        basis="proposed",
        place="proposed here: the control that Jin et al. 2022 lacks",
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_noise(bench, noise) if noise else fits_clean(bench),),
        unit=f"{POINTS} of test error, best epoch minus pruned",
    )
