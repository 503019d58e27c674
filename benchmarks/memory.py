"""Question: what memory does one more member of a program take?"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from benchmarks.stack import members_of, two_layer
from prunescope.base.streams import replicate
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.memory import watched
from prunescope.runs.machine.pack_sizes import bytes_of_data, measure
from prunescope.runs.store.store import Store
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.training.engines.stack import Stack

FEW, MANY = 8, 40


def memory(lab: Laboratory) -> list[Result]:
    """Programs of the two-layer network and of LeNet-300-100, both of whose members have weights of their own.

    As the budget takes it: what is counted or measured in a few steps before a program is made, by which its size is
    chosen: to fill 40 % of what is free, so that at 2.5 times as much nothing would be left. In fresh processes: the
    difference between the peaks of two of them that take two steps with 8 and with 40 members, over 32.
    """
    few, many = (FEW, MANY) if lab.scale is FULL else (2, 4)
    rows, kernels = [], lab.bench.setting.kernels
    kinds: dict[str, Callable[[int], list[Recipe]]] = {
        "two-layer": lambda count: two_layer(0.01, count),
        "LeNet-300-100": lambda count: [lab.recipe.replace(seeds=replicate(k)) for k in range(count)],
    }
    for name, recipes in kinds.items():
        taken = measure(lab.bench, recipes(1)[0]).member + bytes_of_data(lab.bench, recipes(2))
        peaks = [_peak(lab, recipes(count), kernels) for count in (few, many)]
        measured = max(0.0, peaks[1] - peaks[0]) / (many - few)
        rows += [
            Result(f"{name}: a member's memory, as the budget takes it", np.array([taken / 2**20]), "MB"),
            Result(f"{name}: a member's memory, in fresh processes", np.array([measured]), "MB"),
            Result(
                f"{name}: in fresh processes : as the budget takes it",
                np.array([measured / taken * 2**20]),
                "times",
                high=2.5,
            ),
        ]
        if name == "two-layer":
            rows.append(Result("two-layer: 64 members", np.array([64 * measured]), "MB"))
    return rows


def _peak(lab: Laboratory, recipes: list[Recipe], kernels: Kernels) -> float:
    """Megabytes by which a fresh process grows while it takes two steps of a program of these runs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(theirs, str(lab.bench.store.root), recipes, kernels), daemon=True)
    process.start()
    theirs.close()
    found = float(ours.recv())
    process.join()
    return found


def _measured(pipe: Connection, root: str, recipes: list[Recipe], kernels: Kernels) -> None:
    with watched("cpu") as peak:
        members = members_of(Workbench(Store(root)), recipes, kernels)
        Stack(size=len(members)).advance([member.replica for member in members], 2)
    pipe.send(peak() / 2**20)  # not of getrusage, whose peak a process inherits from the one that started it
