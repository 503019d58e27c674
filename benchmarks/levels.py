"""Question: what does a level of iterative pruning cost, as the network gets sparser?"""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.laboratory import FULL, Laboratory, train
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.base.streams import Seeds
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.recipe import Recipe
from prunescope.training.probes import Curve

LEVELS = 20
SHOWN = (4, 8, 12, 16, 20)
LENGTH = "1ep"


def levels(lab: Laboratory) -> list[Result]:
    """An epoch, a test pass and storing, from every state of an IMP chain of 20 levels at 20 %, one epoch a level.

    A ratio of 1 means that a level costs what the dense one costs, as in a library that only multiplies by masks.
    """
    chain = imp(lab.recipe, levels=LEVELS if lab.scale is FULL else 2)
    for run in chain:
        train(lab.bench, run)
    numbers = range(len(chain))
    seconds = interleaved({f"{n}": _again(lab, chain[n]) for n in numbers}, rounds=lab.scale.rounds)
    dense = seconds["0"]
    left = [0.8**n for n in numbers]
    rows = [Result("dense", dense, "s")]
    rows += [
        Result(f"level {n} ({100 * left[n]:.3g} % remaining) : dense", seconds[f"{n}"] / dense, "times")
        for n in numbers
        if n in SHOWN
    ]
    whole = np.sum([seconds[f"{n}"] for n in numbers], axis=0) / (len(chain) * dense)
    return [
        *rows,
        Result("the sparsest level : dense", 100 * seconds[f"{len(chain) - 1}"] / dense, "%", high=22),
        Result(f"the chain : {len(chain)} dense levels", 100 * whole, "%", high=60),
    ]


def _again(lab: Laboratory, level: Recipe) -> Callable[[], object]:
    """Trains on from a level's last state, under an order of batches that was not there yet."""
    fresh: Iterator[Recipe] = lab.recipes()

    def run() -> None:
        order = next(fresh).seeds.order
        recipe = level.replace(
            start=final(level), interventions=(), length=LENGTH, begin="0it", seeds=Seeds(order=order)
        )
        train(lab.bench, recipe, Curve(split="test", every=LENGTH))

    return run
