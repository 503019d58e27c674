"""jin2022/controls: the controls that a reader of the paper asks for."""

from functools import partial

import numpy as np

from prunescope.papers.jin2022 import statements, variants, views
from prunescope.papers.jin2022.arms import Benchmark, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.graph.families import extended, imp, width
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study
from prunescope.training.schedules import Constant, Stretched

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
    by_variant = [claim for noise, group in found.items() for claim in _claims(bench, noise, group)]
    early = [_early_stopping_is_worse(bench, noise) for noise in noises]
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
                "width factor of the level (narrower), or both; and, where the learning rate varies, of training as "
                "long in one stretched schedule instead of replays.",
            ).about(*by_variant),
            views.epochs_figure(bench, noises=noises).about(*early),
        ),
        claims=(*by_variant, *early),
        cautions=(
            *statements.optima_inside(bench, "pruned", noises=noises),
            *(variant.optimum_inside for variant in every),
        ),
        notes=(*notes(size), *_notes(bench)),
    )


def controls(bench: Benchmark, noise: float) -> dict[str, Variant]:
    """The variants by name at a noise level; a stretched schedule only where it is another one than the replays."""
    makers: dict[str, variants.Maker] = {
        "pruned": lambda base: by_level(
            imp(base, levels=bench.levels, prune=bench.prune, rewind=bench.rewind)
        ),
        "extended": lambda base: by_level(extended(base, levels=bench.levels, rewind=bench.rewind)),
        "narrower": lambda base: by_level(width(base, levels=bench.levels)),
        "narrower and extended": partial(_narrower_and_extended, bench),
    }
    if not _is_constant(bench):
        makers["stretched"] = lambda base: {level: stretched(bench, base, level) for level in stops(bench)}
    return {name: Variant(bench, name, noise, make) for name, make in makers.items()}


def stops(bench: Benchmark) -> list[int]:
    """The levels at which the dear controls are run, and at which claims compare all of them."""
    return sorted({max(1, round(k * bench.levels / STOPS)) for k in range(1, STOPS + 1)})


def _narrower_and_extended(bench: Benchmark, base: Recipe) -> dict[int, Recipe]:
    widths = width(base, levels=bench.levels)
    return {level: extended(widths[level], levels=level, rewind=bench.rewind)[-1] for level in stops(bench)}


def stretched(bench: Benchmark, base: Recipe, level: int) -> Recipe:
    """The dense network trained once, for as many steps as pruning to a level takes, its schedule stretched to fit."""
    clock = base.clock()
    steps = clock.total + level * (clock.total - clock.steps(bench.rewind))
    schedule = Stretched(schedule=base.schedule, factor=steps / clock.total)
    return base.replace(length=f"{steps}it", schedule=schedule)


def _is_constant(bench: Benchmark) -> bool:
    return isinstance(bench.base.schedule, Constant)


def _notes(bench: Benchmark) -> tuple[str, ...]:
    at = ", ".join(str(level) for level in stops(bench))
    note = (
        f"Claims compare all arms of size and time at the same levels ({at}), so that none has more chances."
    )
    same = (
        "The learning rate of this benchmark is constant, so a stretched schedule is that of the replays: extended "
        "training already is one long training, and time cannot be told from a cyclic learning rate here."
    )
    return (note, same) if _is_constant(bench) else (note,)


def _claims(bench: Benchmark, noise: float, group: dict[str, Variant]) -> list[Claim]:
    claims = [_both_are_enough(bench, noise, group), _size_and_time_add_up(bench, noise, group)]
    return claims + ([_replays_are_time(bench, noise, group)] if "stretched" in group else [])


def _fits(bench: Benchmark, noise: float) -> tuple[Precondition, ...]:
    return (fits_noise(bench, noise) if noise else fits_clean(bench),)


def _both_are_enough(bench: Benchmark, noise: float, group: dict[str, Variant]) -> Claim:
    levels = stops(bench)
    both, pruned = group["narrower and extended"], group["pruned"]
    return Claim(
        f"both-are-enough-{100 * noise:g}",
        f"At {noise_name(noise)}, a narrower dense network trained as long as pruning, at its best, is within "
        f"{MARGIN:g} points of pruning at its best of the same levels.",
        basis="proposed",
        place="proposed here: completes the size and time of Jin et al. 2022, section 5",
        region=Equivalence(MARGIN),
        sample=lambda r: both.at_best(r, levels) - pruned.at_best(r, levels),
        preconditions=_fits(bench, noise),
        unit=f"{POINTS} of test error, both minus pruned",
    )


def _size_and_time_add_up(bench: Benchmark, noise: float, group: dict[str, Variant]) -> Claim:
    levels = stops(bench)

    def sample(results: Results) -> Numbers:
        best = {name: group[name].at_best(results, levels) for name in ("extended", "narrower")}
        both = group["narrower and extended"].at_best(results, levels)
        dense = bench.test_errors(results, "dense", noise)[0]
        return np.asarray(both - best["narrower"] - best["extended"] + dense)

    return Claim(
        f"size-and-time-add-up-{100 * noise:g}",
        f"At {noise_name(noise)}, a smaller width and longer training together change the test error by the sum of "
        f"what each changes alone, to within {MARGIN:g} points.",
        basis="proposed",
        place="proposed here: the interaction in the 2 x 2 of size and time of Jin et al. 2022, section 5",
        region=Equivalence(MARGIN),
        sample=sample,
        preconditions=_fits(bench, noise),
        unit=f"{POINTS} of test error, both minus narrower minus extended plus dense",
    )


def _replays_are_time(bench: Benchmark, noise: float, group: dict[str, Variant]) -> Claim:
    levels = stops(bench)
    return Claim(
        f"replays-are-time-{100 * noise:g}",
        f"At {noise_name(noise)}, extended training by replays is at its best within {MARGIN:g} points of training as "
        "long in one stretched schedule.",
        basis="proposed",
        place="proposed here: time against the cyclic learning rate of Jin et al. 2022, section 5.1",
        region=Equivalence(MARGIN),
        sample=lambda r: group["extended"].at_best(r, levels) - group["stretched"].at_best(r, levels),
        preconditions=_fits(bench, noise),
        unit=f"{POINTS} of test error, replays minus stretched",
    )


def _early_stopping_is_worse(bench: Benchmark, noise: float) -> Claim:
    return Claim(
        f"early-stopping-is-worse-{100 * noise:g}",
        f"At {noise_name(noise)}, the dense network at its best epoch errs more on the test set than pruning at its "
        "best level.",
        basis="proposed",
        place="proposed here: the control that Jin et al. 2022 lacks",
        region=Direction("greater"),
        sample=lambda r: bench.at_best_epoch(r, noise) - bench.at_best(r, "pruned", noise),
        preconditions=_fits(bench, noise),
        unit=f"{POINTS} of test error, best epoch minus pruned",
    )
