"""Question: does bfloat16 change what is concluded?

Belongs here: the same runs in both precisions. Does not belong here: what bfloat16 gains (`gpu.py`; nothing on a CPU).
"""

import numpy as np

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.row import Numbers, Row
from prunescope.base.streams import replicate
from prunescope.measures import Risk
from prunescope.runs.families import final, imp
from prunescope.runs.graph import Reading
from prunescope.sparsity.select import Remaining
from prunescope.training.interventions import Prune
from prunescope.training.loop import Precision

KINDS: tuple[Precision, ...] = ("float32", "bfloat16")
EPOCHS, TENTH = 4, Prune(amount=Remaining(fraction=0.9))


def precision(lab: Laboratory) -> list[Row]:
    """Test error of LeNet-300-100 after four epochs, and after four more from the start with a tenth of its weights.

    Eight replicates, each once in float32 and once in bfloat16 (products in bfloat16, weights and their updates in
    float32): differences are paired. Seed noise: the standard deviation between replicates in float32, at least one
    test example. The effect of pruning is what a study concludes on.
    """
    count = 8 if lab.scale is FULL else 2
    single, half = (_errors(lab, kind, count) for kind in KINDS)
    rows, one = [], 100 / len(lab.problem.test)
    for name, a, b in (
        ("dense", single[0], half[0]),
        ("a tenth", single[1], half[1]),
        ("effect of pruning", single[1] - single[0], half[1] - half[0]),
    ):
        noise = np.array([max(a.std(ddof=1), one)])
        rows += [
            Row(f"{name}: float32", a, "% test error"),
            Row(f"{name}: bfloat16", b, "% test error"),
            Row(f"{name}: seed noise", noise, "points"),
            Row(f"{name}: mean difference : seed noise", abs((b - a).mean()) / noise, "times", high=1),
        ]
    return rows


def _errors(lab: Laboratory, kind: Precision, count: int) -> tuple[Numbers, Numbers]:
    """Percent, [count]: of the dense networks and of the pruned ones."""
    found = np.empty((2, count))
    for number in range(count):
        recipe = lab.recipe.replace(seeds=replicate(number), precision=kind, length=f"{EPOCHS}ep")
        for level, run in enumerate(imp(recipe, levels=1, prune=TENTH)):
            lab.bench.train(run)
            reading = Reading(measure=Risk(split="test"), state=final(run))
            lab.bench.read(reading)
            found[level, number] = 100 * float(lab.bench.store.reading(reading.id)["error"])
    return found[0], found[1]
