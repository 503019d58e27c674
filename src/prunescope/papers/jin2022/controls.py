"""jin2022/controls: Do a smaller size and longer training together do what pruning does, and what does stopping early
do?

The controls that a reader of the paper asks for.
"""

from collections.abc import Iterator
from functools import partial

import prunescope as ps
from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import AS_CLOSE, MORE, SAME, Says
from prunescope.papers.jin2022.figures import epochs_figure
from prunescope.papers.jin2022.quantities import best, best_epoch, dense, of_dense, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.variants import Variant
from prunescope.papers.readings import noise_name
from prunescope.training.schedules import Stretched

COST = {"smoke": "half a minute or less", "laptop": "5 hours", "paper": "8 hours"}
FIGURE = "beside Figures 6 and 7; not in the paper"

STOPS = 4
"""At how many levels the dear controls are run: each starts anew, so it costs as much as a whole chain."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    noises = tuple(dict.fromkeys((0.0, max(size.controls))))
    by_noise = {noise: controls(bench, noise) for noise in noises}
    every = [variant for group in by_noise.values() for variant in group.values()]
    caption = (
        "Test error of pruning and of dense networks that share with it the training (extended), the width factor of "
        "the level (narrower), or both; and, where the learning rate varies, of training as long in one stretched "
        "schedule instead of replays."
    )
    claims = [claim for noise, group in by_noise.items() for claim in _claims(bench, noise, group)]
    by_level = variants.figure(every, "controls", "Size, time, both, and pruning", caption, claims=claims)
    by_epoch = epochs_figure(bench, noises=noises, claims=[_early_stopping_is_worse(bench, n) for n in noises])
    inside = (*optima_inside(bench, "pruned", noises=noises), *(variant.optimum_inside for variant in every))
    return study(__doc__, size, scale, by_level, by_epoch, cautions=inside, more=_notes(bench))


def controls(bench: Benchmark, noise: float) -> dict[str, Variant]:
    """The variants by name at a noise level; a stretched schedule only where it is another one than the replays."""
    makers: dict[str, variants.Maker] = {
        "pruned": partial(ps.imp, levels=bench.levels, prune=bench.prune, rewind=bench.rewind),
        "extended": partial(ps.extended, levels=bench.levels, rewind=bench.rewind),
        "narrower": partial(ps.width, levels=bench.levels),
        "narrower and extended": partial(_narrower_and_extended, bench),
    }
    if not isinstance(bench.base.schedule, ps.Constant):
        makers["stretched"] = lambda base: {level: stretched(bench, base, level) for level in stops(bench)}
    return {name: Variant(bench, name, noise, make) for name, make in makers.items()}


def stops(bench: Benchmark) -> list[int]:
    """The levels at which the dear controls are run, and at which claims compare all of them."""
    return sorted({max(1, round(k * bench.levels / STOPS)) for k in range(1, STOPS + 1)})


def _narrower_and_extended(bench: Benchmark, base: ps.Recipe) -> dict[int, ps.Recipe]:
    widths = ps.width(base, levels=bench.levels)
    return {level: ps.extended(widths[level], levels=level, rewind=bench.rewind)[-1] for level in stops(bench)}


def stretched(bench: Benchmark, base: ps.Recipe, level: int) -> ps.Recipe:
    """The dense network trained once, for as many steps as pruning to a level takes, its schedule stretched to fit."""
    clock = base.clock()
    steps = clock.total + level * (clock.total - clock.steps(bench.rewind))
    schedule = Stretched(schedule=base.schedule, factor=steps / clock.total)
    return base.replace(length=f"{steps}it", schedule=schedule)


def _notes(bench: Benchmark) -> tuple[str, ...]:
    at = ", ".join(str(level) for level in stops(bench))
    note = f"Claims compare all arms of size and time at the same levels ({at}), so that none has more chances."
    same = (
        "The learning rate of this benchmark is constant, so a stretched schedule is that of the replays: extended "
        "training already is one long training, and time cannot be told from a cyclic learning rate here."
    )
    return (note, same) if isinstance(bench.base.schedule, ps.Constant) else (note,)


def _claims(bench: Benchmark, noise: float, group: dict[str, Variant]) -> Iterator[ps.Claim]:
    says = Says(bench, noise, at=noise_name(noise))
    errors = {name: variant.at_best(*stops(bench)) for name, variant in group.items()}
    longer, narrower, both = errors["extended"], errors["narrower"], errors["narrower and extended"]
    place = "proposed here: {} of Jin et al. 2022, section 5"

    text = (
        "a narrower dense network trained as long as pruning errs as often as pruning, each at its best of the same "
        f"levels, {AS_CLOSE}"
    )
    completes = place.format("completes the size and time")
    gap = of_dense(both - errors["pruned"], bench, noise)
    yield says("both-are-enough", gap, SAME, text, place=completes)

    interaction = (both - narrower) - (longer - dense(bench, noise))
    interaction = interaction.named("both minus narrower minus extended plus dense")
    text = (
        "a smaller width and longer training together change the test error by the sum of what each changes alone, to "
        f"{AS_CLOSE}"
    )
    crossed = place.format("the interaction in the 2 x 2 of size and time")
    yield says("size-and-time-add-up", of_dense(interaction, bench, noise), SAME, text, place=crossed)

    if "stretched" in errors:
        text = f"extended training by replays errs as often as training as long in one stretched schedule, {AS_CLOSE}"
        cyclic = place.format("time against the cyclic learning rate") + ".1"
        gap = of_dense(longer - errors["stretched"], bench, noise)
        yield says("replays-are-time", gap, SAME, text, place=cyclic)


def _early_stopping_is_worse(bench: Benchmark, noise: float) -> ps.Claim:
    text = "the dense network at its best epoch errs more on the test set than pruning at its best level"
    says, place = Says(bench, noise, at=noise_name(noise)), "proposed here: the control that Jin et al. 2022 lacks"
    gap = best_epoch(bench, noise) - best(bench, "pruned", noise)
    return says("early-stopping-is-worse", gap, MORE, text, place=place)
