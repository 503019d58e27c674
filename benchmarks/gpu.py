"""What a GPU reaches: `python -m benchmarks.gpu [--quick]`, on a machine that has one. No part of `make bench`.

Belongs here: replica-epochs a second by network, engine and members of a program. Does not belong here: a CPU
(`stack.py`).

For each network and R: the loop, one replica after another; the stack under vmap; the stack with its layers replaced,
every step taken anew; the same recorded as a CUDA graph. The ratio is to the loop on the same card in the same process.
Until this has been run, its numbers are open.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch

from benchmarks import page
from benchmarks.row import Row
from benchmarks.timing import interleaved
from prunescope.base.streams import replicate
from prunescope.runs.placement import one_thread
from prunescope.runs.recipe import Recipe
from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench
from prunescope.tasks.data.synthetic import synthetic
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


def rows(
    bench: Workbench, kind: Kind, sizes: Sequence[int], steps: int, precision: Precision
) -> Iterator[Row]:
    """Replica-epochs a second by engine and R, and their ratio to the loop."""
    steps_an_epoch = -(-kind.epoch // kind.batch)
    for size in sizes:
        contestants: dict[str, Callable[[], object]] = {}
        engines: tuple[tuple[str, Engine, bool], ...] = (
            ("loop", Loop(), False),
            ("lean", Lean(), False),
            ("stack under vmap", Stack(size=size, way="vmap"), False),
            ("stack", Stack(size=size), False),
            ("stack, recorded", Stack(size=size), True),
        )
        for name, engine, recorded in engines:
            with _recording(recorded):
                contestants[name] = _advance(bench, kind, size, steps, engine, precision)
                contestants[name]()  # stacked, and recorded or not, here
        seconds = interleaved(contestants, rounds=3)
        for name, values in seconds.items():
            rate = size * steps / steps_an_epoch / values
            yield Row(f"{name}, R = {size}", rate, "replica-epochs/s")
            if name != "loop":
                yield Row(f"{name} : loop, R = {size}", seconds["loop"] / values, "times")
        megabytes = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
        yield Row(f"memory at most, R = {size}", seconds["loop"] * 0 + megabytes, "MB")


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
    bench: Workbench, kind: Kind, size: int, steps: int, engine: Engine, precision: Precision
) -> Callable[[], object]:
    lanes: list[Lane] = []
    for number in range(size):
        recipe = _recipe(kind, precision).replace(seeds=replicate(number))
        program = bench.program(recipe)
        lanes.append(Member(program, bench.start(recipe, program)).lane)

    def several() -> None:
        nonlocal lanes
        lanes = engine.advance(lanes, steps)
        if torch.cuda.is_available():
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
    bench = Workbench(Store(options.store), device="cpu" if options.quick else "cuda")
    for name, full in KINDS.items():
        kind = replace(full, batch=4, epoch=16) if options.quick else full
        for precision in get_args(Precision):
            with one_thread():
                found = list(rows(bench, kind, sizes, steps, precision))
            print(page.section(f"{name}, {precision}", main.__doc__ or "", found), flush=True)
            if options.quick:
                break


if __name__ == "__main__":
    main()
