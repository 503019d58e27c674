"""How long the LeNet column of Jin et al. 2022 takes at paper scale, reckoned from what a step takes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.papers.jin2022.settings import Settings
from prunescope.tasks.data.synthetic import Blobs

IMAGES = Blobs(
    digest="0" * 32, classes=10, shape=(1, 28, 28), train=60_000, test=10_000, separation=1.0, seed=0
)
"""As many examples as MNIST has: nothing is loaded, so that MNIST need not be there."""


@cache
def programs() -> Counter[tuple[int, int]]:
    """How many programs of so many runs and steps the column is, with all noise levels, arms and replicates.

    Runs of one level share a program if they share a network: pruned and extended ones do, narrower ones do not.
    """
    size = Settings(benchmark="lenet").size("paper")
    column = replace(COLUMNS["lenet"], source=lambda: IMAGES)
    arms = Benchmark(
        base=column.recipe(epochs=size.epochs),
        noises=size.noises,
        replicates=size.replicates,
        levels=size.levels,
        extended_levels=dict(zip(size.controls, size.extended_levels, strict=True)),
        width_levels=dict.fromkeys(size.controls, size.width_levels),
        rewind=column.at(column.rewind, size.epochs),
        prune=column.prune,
    )
    runs = {point.recipe.id: point for point in arms.points}.values()
    together = Counter((run.recipe.task.network.id, run.level, run.recipe.steps) for run in runs)
    return Counter((members, steps) for (_, _, steps), members in together.items())


def runs() -> int:
    """Runs of the column."""
    return sum(members * count for (members, _), count in programs().items())


def minutes(seconds: Mapping[int, float]) -> float:
    """What the column takes if every program's step takes what one of as many full, dense networks does.

    seconds: of a step of all members, by their number; between two numbers on a line, beyond the largest in proportion,
    below the smallest as much as that. Evaluation and storing are left out.
    """
    sizes = sorted(seconds)
    known = [seconds[size] for size in sizes]

    def step(members: int) -> float:
        return float(np.interp(members, sizes, known)) * max(1.0, members / sizes[-1])

    return sum(count * steps * step(members) for (members, steps), count in programs().items()) / 60
