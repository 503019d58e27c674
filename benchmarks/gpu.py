"""What a GPU reaches: `python -m benchmarks.gpu [--quick]`, on a machine that has one. No part of `make bench`.

Belongs here: replica-epochs a second by network, engine and members of a program. Does not belong here: a CPU
(`stack.py`).

For each network and R: a plain `DataLoader` loop in the field's style, one replica after another; the reference engine
and the one in place, likewise, the latter also compiled by torch (in float32, where there are convolutions); the stack
under vmap; the stack with its layers replaced, every step taken anew; the same recorded as a CUDA graph; each replica
recorded by itself, all side by side on streams. Ratios are to the plain loop and to the reference engine on the same
card in the same process, memory is the peak of one contestant by itself.
Until this has been run, its numbers are open.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import torch

from benchmarks import page
from benchmarks.convolution import COMPILED
from benchmarks.plain_loop import PlainLoop
from benchmarks.row import Row
from benchmarks.timing import interleaved
from prunescope.base.streams import replicate
from prunescope.runs import memory
from prunescope.runs.placement import device_named, one_thread
from prunescope.runs.recipe import Recipe
from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench, with_kernels
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels import compiling
from prunescope.tasks.kernels.choice import PLAIN, Kernels
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.engines import stack
from prunescope.training.engines.engine import Engine, Lane
from prunescope.training.engines.lean import Lean
from prunescope.training.engines.loop import Loop
from prunescope.training.engines.stack import Stack
from prunescope.training.loop import Precision
from prunescope.training.optim import SGD
from prunescope.training.run import Member
from prunescope.training.schedules import Constant

SIZES = (1, 4, 16, 64)
PLAIN_LOOPS = 2
"""Replicas of the plain loop that are run: they go one after another, so that more of them only take longer."""


@dataclass(frozen=True)
class Kind:
    """A network and the data that it trains on: shape of an example, batch, examples an epoch."""

    path: str
    args: dict[str, Any]
    shape: tuple[int, int, int]
    batch: int
    epoch: int


KINDS = {
    "LeNet-300-100": Kind("LeNet", {}, (1, 28, 28), 128, 60_000),
    "ResNet-20": Kind("CifarResNet", {"depth": 20}, (3, 32, 32), 128, 50_000),
    "VGG11": Kind("VGG", {}, (3, 32, 32), 128, 50_000),
}


TINY: dict[str, dict[str, Any]] = {"LeNet-300-100": {}, "ResNet-20": {"depth": 8}, "VGG11": {"scale": 0.05}}
"""Arguments of the networks in a quick run."""


def rows(
    bench: Workbench,
    kind: Kind,
    sizes: Sequence[int],
    steps: int,
    precision: Precision,
    rounds: int = 3,
) -> Iterator[Row]:
    """Replica-epochs a second by engine and R, their ratios to the plain loop and the reference, and memory."""
    steps_an_epoch = -(-kind.epoch // kind.batch)
    for size in sizes:
        plain = [_plain(bench, kind, number) for number in range(min(size, PLAIN_LOOPS))]
        contestants: dict[str, Callable[[], object]] = {
            "DataLoader loop": lambda plain=plain: [one.steps(steps) for one in plain]  # type: ignore[misc]
        }
        peaks = {"DataLoader loop": _peak(bench, contestants["DataLoader loop"])}
        compiles = bench.device != "cpu" and precision == "float32" and compiling.available(bench.device)
        engines: tuple[tuple[str, Engine, bool], ...] = (
            ("loop", Loop(), False),
            ("lean", Lean(), False),
            *([("compiled", Lean(), False)] if compiles else []),
            ("stack under vmap", Stack(size=size, way="vmap"), False),
            ("stack", Stack(size=size), False),
            ("stack, recorded", Stack(size=size), True),
            ("streams, recorded", Stack(size=size, way="streams"), True),
        )
        for name, engine, recorded in engines:
            with _recording(recorded):
                kernels = COMPILED if name == "compiled" else PLAIN
                contestants[name] = _advance(bench, kind, size, steps, engine, precision, kernels)
                peaks[name] = _peak(bench, contestants[name])  # stacked, and recorded or not, here
        seconds = interleaved(contestants, rounds=rounds)
        seconds["DataLoader loop"] *= size / len(plain)  # one replica after another: the others take as long
        for name, values in seconds.items():
            rate = size * steps / steps_an_epoch / values
            yield Row(f"{name}, R = {size}", rate, "replica-epochs/s")
            for base in ("DataLoader loop", "loop"):
                if name not in ("DataLoader loop", base):
                    yield Row(f"{name} : {base}, R = {size}", seconds[base] / values, "times")
            if bench.device != "cpu":
                yield Row(f"{name}, R = {size}: memory at most", np.array([peaks[name]]), "MB")


def _plain(bench: Workbench, kind: Kind, number: int) -> PlainLoop:
    """A replica of the plain loop; it trains in float32 whatever the precision."""
    recipe = _recipe(kind, "float32")
    here = recipe.task.load(replicate(number), recipe.task.data.source.load())
    network = recipe.task.network.build()
    return PlainLoop(network, here.train, here.test, lr=0.01, batch=kind.batch, device=bench.device)


def _peak(bench: Workbench, work: Callable[[], object]) -> float:
    """Megabytes that the first run of some work adds at its peak."""
    with memory.watched(bench.device) as peak:
        work()
    return peak() / 2**20


@contextmanager
def _recording(recorded: bool) -> Iterator[None]:
    """Stacks that are made meanwhile are recorded, where they can be, or not at all."""
    module: Any = stack
    before = module.recordable
    if not recorded:
        module.recordable = lambda work: False
    try:
        yield
    finally:
        module.recordable = before


def _advance(
    bench: Workbench,
    kind: Kind,
    size: int,
    steps: int,
    engine: Engine,
    precision: Precision,
    kernels: Kernels,
) -> Callable[[], object]:
    lanes: list[Lane] = []
    for number in range(size):
        recipe = _recipe(kind, precision).replace(seeds=replicate(number))
        program = with_kernels(bench.program(recipe), kernels)
        lanes.append(Member(program, bench.start(recipe, program)).lane)

    def several() -> None:
        nonlocal lanes
        lanes = engine.advance(lanes, steps)
        if bench.device != "cpu":
            torch.cuda.synchronize()

    return several


def _recipe(kind: Kind, precision: Precision) -> Recipe:
    source = synthetic(classes=10, shape=kind.shape, train=min(kind.epoch, 10_000), test=256)
    return Recipe(
        task=Task(
            network=network(f"prunescope.tasks.nets:{kind.path}", **kind.args), data=Data(source=source)
        ),
        optimizer=SGD(momentum=0.9, weight_decay=1e-4),
        schedule=Constant(lr=0.01),
        batch=kind.batch,
        length="1000ep",
        precision=precision,
    )


def main() -> None:
    """Prints a table for every network and precision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="tiny and on the CPU: does everything run at all?"
    )
    parser.add_argument("--store", default=f"prunescope-gpu-{time.time_ns()}", help="an empty folder")
    options = parser.parse_args()
    if not options.quick and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device on this machine; --quick runs everything once on the CPU")
    sizes, steps = ((1, 2), 2) if options.quick else (SIZES, 50)
    bench = Workbench(Store(options.store), device=device_named("cpu" if options.quick else "cuda"))
    for name, full in KINDS.items():
        kind = replace(full, args=TINY[name], batch=4, epoch=16) if options.quick else full
        for precision in get_args(Precision):
            with one_thread():
                occasion = page.occasion()
                found = list(rows(bench, kind, sizes, steps, precision))
            print(page.section(f"{name}, {precision}", main.__doc__ or "", found, occasion), flush=True)
            if options.quick:
                break


if __name__ == "__main__":
    main()
