"""Question: what does a level of iterative pruning cost, as the network gets sparser?

Belongs here: the same training at several sparsities. Does not belong here: faster engines for sparse networks.
"""

from collections.abc import Callable

from benchmarks.laboratory import Laboratory
from benchmarks.row import Row
from benchmarks.timing import interleaved
from prunescope.base.streams import Seeds
from prunescope.runs.families import final
from prunescope.runs.recipe import Recipe
from prunescope.sparsity.select import Remaining
from prunescope.training.interventions import Prune
from prunescope.training.probes import Curve

LEVELS = (4, 8, 12, 16, 20)
LENGTH = "200it"


def levels(lab: Laboratory) -> list[Row]:
    """200 steps, a test pass and storing, from a dense network pruned to what IMP at 20 % a level leaves.

    A ratio of 1 means that a sparse level costs what a dense one costs.
    """
    base = lab.recipe.replace(length=LENGTH)
    lab.bench.train(base)
    contestants: dict[str, Callable[[], object]] = {"dense": _run(lab, base, ())}
    for level in LEVELS:
        prune = Prune(amount=Remaining(fraction=1 - 0.8**level))
        contestants[f"{level}"] = _run(lab, base, (prune,))
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    rows = [Row("dense", seconds["dense"], "s")]
    for level in LEVELS:
        ratio = seconds[f"{level}"] / seconds["dense"]
        rows.append(Row(f"level {level} ({100 * 0.8**level:.3g} % remaining) : dense", ratio, "times"))
    return rows


def _run(lab: Laboratory, base: Recipe, interventions: tuple[Prune, ...]) -> Callable[[], object]:
    number = 0

    def run() -> None:
        nonlocal number
        number += 1
        recipe = base.replace(start=final(base), interventions=interventions, seeds=Seeds(order=number))
        lab.bench.train(recipe, probes=(Curve(split="test", every=LENGTH),))

    return run
