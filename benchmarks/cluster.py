"""Question: what does a piece of work cost beyond a task of Ray that does nothing?"""

import importlib.util
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from prunescope.measures import Risk
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.executors.cluster import Cluster, Connection
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading


def cluster(lab: Laboratory) -> list[Result]:
    """Tasks on Ray's one node of this machine, twice as many under way as run at once, as `--executor ray` does it.

    Ours: a reading that is stored already, so that a task takes a lease, looks, and gives it back. Rounds alternate.
    """
    if importlib.util.find_spec("ray") is None:
        return [Result("a task", np.array([]), "no Ray here: pip install 'prunescope[ray]'")]
    reading = Reading(measure=Risk(split="test"), state=final(lab.recipe.replace(length="1it")))
    ensure(reading, store=lab.bench.store, workers=1)
    connection = Connection("local", workers=2)
    executor = Cluster(connection, partial(Workbench, lab.bench.store))
    count = 300 if lab.scale.rounds > 1 else 20
    try:
        for contestant in (_ours(executor, reading, count), _rays(connection, count)):
            next(contestant)  # processes start, data are loaded
        ours, rays = _ours(executor, reading, count), _rays(connection, count)
        rounds = np.array([(next(ours), next(rays)) for _ in range(lab.scale.rounds)])
    finally:
        executor.stop()
    milliseconds = 1e3 * rounds / count
    return [
        Result("a task of prunescope's", milliseconds[:, 0], "ms"),
        Result("a task of Ray that does nothing", milliseconds[:, 1], "ms"),
        Result("beyond Ray's own", milliseconds[:, 0] - milliseconds[:, 1], "ms", high=5),
    ]


def _ours(executor: Cluster, reading: Reading, count: int) -> Iterator[float]:
    """Seconds of so many pieces of work, again and again."""
    while True:
        began, free, left = time.perf_counter(), list(range(executor.workers)), count
        while left or len(free) < executor.workers:
            while free and left:
                executor.start(free.pop(), reading)
                left -= 1
            free += [message.worker for message in executor.wait(10.0) if message.kind == "free"]
        yield time.perf_counter() - began


def _rays(connection: Connection, count: int) -> Iterator[float]:
    """Seconds of so many tasks of nothing, as many under way."""
    task: Any = connection.ray.remote(num_cpus=1)(lambda: None)
    while True:
        running: list[Any] = []
        began, left = time.perf_counter(), count
        while left or running:
            while left and len(running) < 2 * connection.slots:
                running.append(task.remote())
                left -= 1
            ended, running = connection.ray.wait(running, num_returns=1)
            connection.ray.get(ended)
        yield time.perf_counter() - began
