"""Question: what memory does one more member of a program take?

Belongs here: what a stack counts beforehand, beside what a process really takes. Does not belong here: speed
(`stack.py`).
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.peak import peak
from benchmarks.row import Row
from benchmarks.stack import members_of, two_layer
from prunescope.base.streams import replicate
from prunescope.runs.calibration import for_stacks
from prunescope.runs.recipe import Recipe
from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench
from prunescope.tasks.kernels.choice import Kernels
from prunescope.training.engines.stack import Stack, bytes_per_member

FEW, MANY = 8, 40


def memory(lab: Laboratory) -> list[Row]:
    """Programs of the two-layer network and of LeNet-300-100, both of whose members have weights of their own.

    Counted: what a stack says before it is made, by which the memory budget decides. Measured: the difference between
    the peaks of two fresh processes that take two steps with 8 and with 40 members, over 32.
    """
    few, many = (FEW, MANY) if lab.scale is FULL else (2, 4)
    rows, kernels = [], for_stacks(lab.bench.store, lab.bench.setting.kernels)
    kinds: dict[str, Callable[[int], list[Recipe]]] = {
        "two-layer": lambda count: two_layer(0.01, count),
        "LeNet-300-100": lambda count: [lab.recipe.replace(seeds=replicate(k)) for k in range(count)],
    }
    for name, recipes in kinds.items():
        counted = bytes_per_member([one.lane for one in members_of(lab.bench, recipes(2), kernels)]) / 2**20
        peaks = [_peak(lab, recipes(count), kernels) for count in (few, many)]
        measured = max(0.0, peaks[1] - peaks[0]) / (many - few)
        rows += [
            Row(f"{name}: a member's memory, counted", np.array([counted]), "MB"),
            Row(f"{name}: a member's memory, measured", np.array([measured]), "MB"),
        ]
        if name == "two-layer":
            rows.append(
                Row("two-layer: 64 members, budget 512 MB", np.array([64 * measured]), "MB", high=512)
            )
    return rows


def _peak(lab: Laboratory, recipes: list[Recipe], kernels: Kernels) -> float:
    """Megabytes by which a fresh process grows while it takes two steps of a program of these runs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_measured, args=(theirs, str(lab.bench.store.root), recipes, kernels), daemon=True
    )
    process.start()
    theirs.close()
    found = float(ours.recv())
    process.join()
    return found


def _measured(pipe: Connection, root: str, recipes: list[Recipe], kernels: Kernels) -> None:
    def work() -> None:
        members = members_of(Workbench(Store(root)), recipes, kernels)
        Stack(size=len(members)).advance([member.lane for member in members], 2)

    pipe.send(peak(work))  # not of getrusage, whose peak a process inherits from the one that started it
