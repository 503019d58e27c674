"""Question: what do two processes give over one?"""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

import numpy as np
import torch

from benchmarks.digits import NOISE, bench, readings
from benchmarks.laboratory import FULL, Laboratory, train
from benchmarks.products import Products
from benchmarks.result import Result
from benchmarks.subprocess import ensured
from benchmarks.timing import in_turns
from prunescope.base.value import Value
from prunescope.runs.execution.executors.processes import keep_memory
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.store import Store

Work = Callable[[int], None]
TURNS = 2
PATIENCE = 300.0
"""Seconds after which a process that does not come is given up."""


def scaling(lab: Laboratory) -> list[Result]:
    """Work done a second by two processes over that by one, for an epoch of LeNet-300-100 and for its products alone.

    Cores share caches, memory and clock, so two do not give twice the work of one, whoever works. In these rows each
    process does the same work, without anything between them. The study is that of "Digits" with and without noise,
    two replicates and epochs divided by six, 220 runs of which 172 stand in eight chains, by `ensure` with one
    worker and with two, each time on an empty store in a fresh process: measuring, starting workers, dividing the
    work, waiting for the last and storing included.
    """
    task = str(lab.bench.store.root), lab.recipe, lab.bench.setting, lab.scale is FULL
    gains: dict[str, list[float]] = {"products": [], "runs": []}
    for number in range(lab.scale.rounds):
        alone, together = (_seconds(count, task, 10 * (2 * number + count)) for count in (1, 2))
        for name, found in gains.items():
            found.append(2 * alone[name] / together[name])
    runs, products = (np.array(gains[name]) for name in ("runs", "products"))
    return [
        Result("runs: two processes : one", runs, "times"),
        Result("products: two processes : one", products, "times"),
        Result("gain of runs : gain of products", 100 * runs / products, "%", low=95),
        *_study(lab, float(np.median(products))),
    ]


def _study(lab: Laboratory, products: float) -> list[Result]:
    """products: the gain of bare products, which no division of work can exceed."""
    nodes = small_study("laptop" if lab.scale is FULL else "smoke")
    seconds = in_turns(
        {"one": lambda: ensured(nodes, workers=1), "two": lambda: ensured(nodes, workers=2)},
        turns=TURNS if lab.scale is FULL else 1,
    )
    gain = seconds["one"] / seconds["two"]
    return [
        Result("a study: one worker", seconds["one"], "s"),
        Result("a study: two workers", seconds["two"], "s"),
        Result("a study: one worker : two", gain, "times"),
        Result("gain of a study : gain of products", 100 * gain / products, "%"),
    ]


def small_study(scale: str) -> list[Value]:
    """What is read of two replicates that train for a sixth of their epochs."""
    length = "10ep" if scale == "laptop" else ""
    return readings(bench(scale, noises=(0.0, NOISE), replicates=2, length=length))


Task = tuple[str, Recipe, EngineSetting, bool]


def _seconds(processes: int, task: Task, number: int) -> dict[str, float]:
    """Seconds until all processes have done the same work of each kind, begun together when all are ready."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    workers = [
        context.Process(target=_worker, args=(task, number + one, barrier), daemon=True) for one in range(processes)
    ]
    for worker in workers:
        worker.start()
    seconds = {}
    for name in ("products", "runs"):
        barrier.wait(PATIENCE)
        began = time.perf_counter()
        barrier.wait(PATIENCE)
        seconds[name] = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return seconds


def _worker(task: Task, number: int, barrier: Barrier) -> None:
    root, recipe, setting, full = task
    torch.set_num_threads(1)
    keep_memory()
    for work in (_products(full), _runs(root, recipe, setting)):
        work(0)
        barrier.wait(PATIENCE)
        work(number)
        barrier.wait(PATIENCE)


def _products(full: bool) -> Work:
    products = Products(128)

    def work(number: int) -> None:
        for _ in range(500 if full else 2):
            products.training()

    return work


def _runs(root: str, recipe: Recipe, setting: EngineSetting) -> Work:
    bench = Workbench(Store(root), setting=setting)

    def work(number: int) -> None:
        seeds = recipe.seeds.replace(order=100_000 + number)
        if number == 0:  # only loads what the run needs
            bench.program(recipe)
            return
        train(bench, recipe.replace(seeds=seeds))

    return work
