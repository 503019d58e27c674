"""The methods by which a device trains R replicas, each timed by itself.

Belongs here: making one method's work, timing it, giving its memory back. Does not belong here: what is made of the
numbers (`gpu.py`), the limits (`limits.py`).
"""

import gc
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.plain_loop import PlainLoop
from benchmarks.result import Numbers
from prunescope.base.streams import replicate
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine import memory
from prunescope.runs.machine.loader import with_kernels
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.training.engines.engine import Engine, Loop, Replica
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack, how
from prunescope.training.engines.stacked.forward import Method
from prunescope.training.run import Member

FEW = 5
"""Steps before the clock is looked at: libraries choose their kernels then."""
BASES = ("DataLoader loop", "loop")
"""What all methods are compared with: the plain loop and prunescope's reference."""
APART = (*BASES, "lean", "lean, channels last")
"""Methods by which replicas go one after another."""
Work = Callable[[int], object]
"""Takes so many steps of all its replicas and waits for the device."""


@dataclass(frozen=True)
class Contestant:
    """A method to train.

    replicas: how many take a step.
    make: prepares them.
    """

    name: str
    replicas: int
    make: Callable[[], Work]


@dataclass(frozen=True)
class Timed:
    """What a method takes.

    seconds: of one step of one replica, [rounds].
    megabytes: what the work added to the memory at its peak.
    why: the reason why there are no numbers.
    """

    seconds: Numbers
    megabytes: float
    why: str = ""


def contestants(bench: Workbench, recipe: Recipe, size: int, *, alone: bool) -> Iterator[Contestant]:
    """All methods for so many replicas, the plain loop and the reference first.

    Replicas that go one after another take as long each however many there are, so that one of them is timed. alone:
    whether such methods are wanted besides those two, with which the others are compared.
    """
    yield Contestant("DataLoader loop", 1, lambda: _plain(bench, recipe))
    engines: dict[str, tuple[Engine, Kernels]] = {"loop": (Loop(), PLAIN)}
    if alone:
        engines["lean"] = InPlace(), PLAIN
        if convolutional(recipe.task.network.build()) and recipe.precision == "float32":
            engines["lean, channels last"] = InPlace(), Kernels(channels_last=True)
    for name, (engine, kernels) in engines.items():
        yield Contestant(name, 1, lambda e=engine, k=kernels: _advance(bench, recipe, 1, e, k))  # type: ignore[misc]
    stacks: dict[str, Method] = {"stack": "layers", "vmap": "vmap"}
    for name, method in stacks.items():
        yield Contestant(name, size, lambda w=method: _stack(bench, recipe, size, w))  # type: ignore[misc]


def convolutional(network: nn.Module) -> bool:
    """Whether a network has a convolution."""
    return any(isinstance(layer, nn.Conv2d) for layer in network.modules())


def timed(contestant: Contestant, device: str, *, rounds: int, least: float) -> Timed:
    """Times a method by itself and gives its memory back. least: seconds of a round.

    A method that does not fit, or that fails, loses its own row and no other.
    """
    try:
        return _timed(contestant, device, rounds, least)
    except (RuntimeError, MemoryError) as problem:
        said = (str(problem).splitlines() or [type(problem).__name__])[0]
        why = "out of memory" if memory.out_of_memory(problem) else f"failed: {said}"
    finally:
        gc.collect()
        if device != "cpu":
            torch.cuda.empty_cache()
    return Timed(np.empty(0), math.nan, why)


def _timed(contestant: Contestant, device: str, rounds: int, least: float) -> Timed:
    work = contestant.make()
    with memory.watched(device) as peak:
        work(FEW)  # stacked here
    began = time.perf_counter()
    work(FEW)
    count = max(FEW, math.ceil(FEW * least / (time.perf_counter() - began)))
    seconds = np.empty(rounds)
    for turn in range(rounds):
        began = time.perf_counter()
        work(count)
        seconds[turn] = (time.perf_counter() - began) / count / contestant.replicas
    return Timed(seconds, peak() / 2**20)


def _plain(bench: Workbench, recipe: Recipe) -> Work:
    """A replica of the plain loop; it trains in float32 whatever the precision."""
    problem = recipe.task.load(replicate(0), recipe.task.data.source.load())
    loop = PlainLoop(
        recipe.task.network.build(),
        problem.train,
        problem.test,
        lr=0.01,
        batch=recipe.batch,
        optimizer=recipe.optimizer,
        augment=bool(problem.augmentation),
        device=bench.device,
    )
    return loop.steps


def _stack(bench: Workbench, recipe: Recipe, size: int, method: Method) -> Work:
    engine = Stack(size=size, method=method)
    return _advance(bench, recipe, size, engine, PLAIN, method)


def _advance(
    bench: Workbench,
    recipe: Recipe,
    size: int,
    engine: Engine,
    kernels: Kernels,
    method: Method | None = None,
) -> Work:
    """So many replicas by an engine. Raises RuntimeError if their network does not admit the method."""
    replicas: list[Replica] = []
    for number in range(size):
        one = recipe.replace(seeds=replicate(number))
        program = with_kernels(bench.program(one), kernels)
        replicas.append(Member(program, bench.start(one, program)).replica)
    if method is not None and how(replicas[0], method).name != method:
        raise RuntimeError("the network gives other numbers by this method")

    def several(steps: int) -> None:
        nonlocal replicas
        replicas = engine.advance(replicas, steps)
        if bench.device != "cpu":
            torch.cuda.synchronize()

    return several
