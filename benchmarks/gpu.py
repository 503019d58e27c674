"""What a GPU reaches: `python -m benchmarks.gpu --save FILE`, on a machine that has one. No part of `make bench`.

Belongs here: replica-epochs a second by network, method and members of a program, and the aims. Does not belong here:
the methods (`methods.py`), the limits (`limits.py`), a CPU (`stack.py`).
"""

import argparse
import inspect
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from benchmarks import report
from benchmarks.column import minutes, runs
from benchmarks.environment import environment
from benchmarks.limits import Limit, limit
from benchmarks.methods import BASES, Timed, contestants, timed
from benchmarks.result import Numbers, Result
from prunescope.papers.jin2022.scales import COLUMNS, Name
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.devices import device_named, one_thread
from prunescope.runs.store.store import Store
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.loop import Precision
from prunescope.training.schedules import Constant

SIZES = (1, 4, 16, 64)
MORE_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 256)
FILLS = 64
"""Replicas whose convolutions and products fill a device."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MADE = """\
Made by `python -m benchmarks.gpu --save FILE`, parts of it with `--only`, `--sizes` and `--precision`; not edited by
hand. Replica-epochs a second of R replicas are those of training steps alone. Unlike on the page of a CPU, methods were
timed one after another, as together they would not fit.

DataLoader loop: PIL images in the same process, augmented one by one, in float32 always. loop: prunescope's reference.
Methods without a program of several replicas are timed with one replica, as others take as long, and those that nothing
is compared with at the smallest R only. The layers alone: convolutions and products of a step and nothing else, by as
many members as fill the device.
What a step moves: inputs, outputs and gradients of these layers, weights and slots, at the rate at which the device
copies. Memory: what a method adds at its peak."""
IMAGES = "random images in the shapes of MNIST and CIFAR-10"
SETTINGS = "one torch thread, TF32 off, deterministic algorithms; limits by the fastest algorithms"


@dataclass(frozen=True)
class Kind:
    """A network, whose training settings it takes (optimizer, augmentation), shape of an example, batch, examples an
    epoch; times: aim for the fastest method over the reference.
    """

    path: str
    args: dict[str, Any]
    like: Name
    shape: tuple[int, int, int]
    batch: int
    epoch: int
    times: float | None = None

    def recipe(self, precision: Precision) -> Recipe:
        """A run of it on random images."""
        source = synthetic(classes=10, shape=self.shape, train=min(self.epoch, 10_000), test=256)
        column = COLUMNS[self.like]
        data = Data(source=source, augmentation=column.augmentation)
        return Recipe(
            task=Task(network=network(f"prunescope.tasks.nets:{self.path}", **self.args), data=data),
            optimizer=column.optimizer,
            schedule=Constant(lr=0.01),  # the papers' 0.1 might diverge on images without content
            batch=self.batch,
            length="1000ep",
            precision=precision,
        )


KINDS = {
    "LeNet-300-100": Kind("LeNet", {}, "lenet", (1, 28, 28), 128, 60_000),
    "ResNet-20": Kind("CifarResNet", {"depth": 20}, "resnet20", (3, 32, 32), 128, 50_000, times=30),
    "VGG11": Kind("VGG", {"depth": 11}, "vgg16", (3, 32, 32), 128, 50_000, times=10),
}
TINY: dict[str, dict[str, Any]] = {
    "LeNet-300-100": {"hidden": (8,)},
    "ResNet-20": {"depth": 8, "width": 4},
    "VGG11": {"depth": 11, "scale": 0.05},
}
"""Arguments of the networks in a quick run."""


def measured(
    bench: Workbench, recipe: Recipe, size: int, *, alone: bool, rounds: int = 3, least: float = 0.5
) -> dict[str, Timed]:
    """Times all methods for so many replicas, one method after another. least: seconds of a round."""
    return {
        one.name: timed(one, bench.device, rounds=rounds, least=least)
        for one in contestants(bench, recipe, size, alone=alone)
    }


def limit_of(bench: Workbench, recipe: Recipe, members: int, *, rounds: int = 3) -> Limit:
    """What a step of the recipe's network takes at least, measured with so many members."""
    source = recipe.task.data.source
    x = torch.randn(recipe.batch, *source.load().train_x.shape, device=bench.device)
    dtype = torch.float32 if recipe.precision == "float32" else torch.bfloat16
    slots = len(recipe.optimizer.init({"": x}))
    return limit(recipe.task.network.build, x, members=members, slots=slots, dtype=dtype, rounds=rounds)


def rows(methods: Mapping[str, Timed], limits: Limit, size: int, *, steps: int, megabytes: bool) -> list[Result]:
    """Replica-epochs a second by each method, ratios to the plain loop and the reference, shares of the limits, memory.

    steps: of an epoch. megabytes: whether the device tells what a method adds to its memory.
    """
    found = []
    for name, method in methods.items():
        what = f"{name}, R = {size}"
        if method.why:
            found.append(Result(what, method.seconds, method.why))
            continue
        found.append(Result(what, 1 / (steps * method.seconds), "replica-epochs/s"))
        for base in BASES:
            if name not in (base, BASES[0]) and not methods[base].why:
                found.append(Result(f"{name} : {base}, R = {size}", methods[base].seconds / method.seconds, "times"))
        if megabytes:
            found.append(Result(f"{name}, R = {size}: memory at most", np.array([method.megabytes]), "MB"))
    if (best := fastest(methods)) is None:
        return found
    seconds = methods[best].seconds
    return [
        *found,
        Result(f"the layers alone : {best}, R = {size}", *share(limits.layers, seconds)),
        Result(f"copying what a step moves : {best}, R = {size}", *share(limits.copied, seconds)),
    ]


def share(limit: Numbers, ours: Numbers) -> tuple[Numbers, str]:
    """A limit's share of our seconds and its unit."""
    return (100 * limit / ours, "%") if len(limit) else (limit, "out of memory")


def fastest(methods: Mapping[str, Timed]) -> str | None:
    """The method that takes least time for a step of a replica; None if there are no numbers."""
    seconds = {name: float(np.median(method.seconds)) for name, method in methods.items() if not method.why}
    return min(seconds, key=seconds.__getitem__, default=None)


def aims(kind: Kind, limits: Limit, found: Mapping[int, Mapping[str, Timed]]) -> list[Result]:
    """The limits, and what was aimed at, by the fastest method of all.

    The aims are times "the reference loop", which may be the plain loop or prunescope's own: both ratios are judged.
    The column of Jin et al. (LeNet, all noise levels, three arms, three replicates, paper scale) was not run: the steps
    of its programs, 24 pruned and extended or 12 narrower networks at a time, are taken to cost what they cost here,
    dense; evaluation and storing are left out.
    """
    listed = [
        Result("the layers alone", limits.flops / limits.layers / 1e12, "TFLOP/s")
        if len(limits.layers)
        else Result("the layers alone", limits.layers, "out of memory"),
        Result("copying", limits.bytes / limits.copied / 1e9, "GB/s read and written"),
    ]
    best = {size: name for size, methods in found.items() if (name := fastest(methods)) is not None}
    step = {size: float(np.median(found[size][name].seconds)) for size, name in best.items()}
    if not step:
        return listed
    size = min(step, key=step.__getitem__)
    methods, name = found[size], best[size]
    aim = {} if kind.times is None else {"low": kind.times}
    listed += [
        Result(f"{name}, R = {size} : {base}", methods[base].seconds / methods[name].seconds, "times", **aim)
        for base in BASES
        if name != base and not methods[base].why
    ]
    return [*listed, *_column(found, step)] if kind.like == "lenet" else listed


def _column(found: Mapping[int, Mapping[str, Timed]], step: Mapping[int, float]) -> list[Result]:
    """How many replicas one program took, and the column of Jin et al., from seconds of a replica's step by R."""
    together = [
        size
        for size, methods in found.items()
        if any(name.startswith(("stack", "vmap")) and not method.why for name, method in methods.items())
    ]
    taken = minutes({n: n * seconds for n, seconds in step.items()})
    return [
        Result("replicas in one program", np.array([max(together, default=0)]), "replicas", low=60),
        Result(
            f"Jin et al.'s column ({runs():,} runs): an estimate from these steps",
            np.array([taken]),
            "minutes",
            high=10,
        ),
    ]


def ask(bench: Workbench, options: argparse.Namespace, save: Callable[[Mapping[str, str]], None]) -> list[Timed]:
    """Measures networks, precisions and sizes one after another; each part is handed over as soon as it is there."""
    every: list[Timed] = []
    effort: dict[str, Any] = {"rounds": 1, "least": 0.0} if options.quick else {}
    for name in options.only:
        kind = replace(KINDS[name], args=TINY[name], batch=4, epoch=16) if options.quick else KINDS[name]
        for precision in options.precision:
            recipe = kind.recipe(precision)
            limits = limit_of(bench, recipe, 2 if options.quick else FILLS, rounds=effort.get("rounds", 3))
            found: dict[int, dict[str, Timed]] = {}
            for size in options.sizes:
                asked = environment(IMAGES)
                found[size] = measured(bench, recipe, size, alone=size == options.sizes[0], **effort)
                every += found[size].values()
                steps = -(-kind.epoch // kind.batch)
                listed = rows(found[size], limits, size, steps=steps, megabytes=bench.device != "cpu")
                title = f"{name}, {precision}, R = {size}"
                hand_over(save, title, f"{size} replicas, training steps alone.", listed, asked)
            text = f"{inspect.getdoc(aims)}\n\nOf R = {', '.join(map(str, options.sizes))}."
            hand_over(save, f"{name}, {precision}, aims", text, aims(kind, limits, found), asked)
    return every


def hand_over(save: Callable[[Mapping[str, str]], None], title: str, text: str, rows: list[Result], asked: str) -> None:
    """Prints a part and saves it."""
    section = report.section(title, text, rows, asked)
    print(section, flush=True)
    save({title: section})


def main() -> None:
    """Prints every part when it is there, and saves it."""
    options = arguments()
    device = options.device or ("cpu" if options.quick else "cuda")
    if device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device on this machine; --quick runs everything once on the CPU")
    options.sizes = sorted(set(options.sizes or ((1, 2) if options.quick else SIZES)))
    parts = [*(f"R = {size}" for size in MORE_SIZES), "aims"]
    order = [", ".join(title) for title in product(KINDS, PRECISIONS, parts)]
    head = report.heading(made=MADE, settings=SETTINGS)
    print(head, flush=True)

    def save(sections: Mapping[str, str]) -> None:
        if options.save:
            old = options.save.read_text() if options.save.exists() else head
            options.save.write_text(report.merged(old, head, sections, order))

    try:
        save({})  # before anything is measured: is that page this machine's?
    except ValueError as problem:
        sys.exit(f"not saved: {problem}")
    with tempfile.TemporaryDirectory(prefix="prunescope-gpu-") as folder, one_thread():
        every = ask(Workbench(Store(folder), device=device_named(device)), options, save)
    if wrong := [method.why for method in every if method.why.startswith("failed")]:
        sys.exit(f"{len(wrong)} methods failed, their rows say why")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help="tiny networks, by default on the CPU: does everything run at all?",
    )
    add("--device", help="cpu or cuda (default cuda, with --quick cpu)")
    add("--only", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="NETWORK", help="some networks")
    add("--sizes", nargs="+", type=int, choices=MORE_SIZES, metavar="R", help=f"replicas (default {SIZES})")
    add("--precision", nargs="+", choices=PRECISIONS, default=list(PRECISIONS), help="some precisions")
    add("--save", type=Path, help="the page on which each part takes its place as soon as it is measured")
    return parser.parse_args()


if __name__ == "__main__":
    main()
