"""Question: where does the time of a training step go?"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.laboratory import Laboratory
from benchmarks.products import Products
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.runs.machine.engines import engine_of
from prunescope.training.engines.engine import Engine, Loop, Replica
from prunescope.training.loop import Program, Stepper, gradients
from prunescope.training.run import begin


def step(lab: Laboratory) -> list[Result]:
    """One step of LeNet-300-100 at batch 128, dense, in microseconds.

    Bare: the module called directly on one batch that stays where it is, cross-entropy, `torch.autograd.grad`, one
    fused in-place update; it is what forward, backward and update cost in PyTorch. Everything else is prunescope's
    step minus the bare one: choosing the batch and gathering it from 188 MB of images, the learning rate, the running
    loss, less what the engine saves of the bare step. Parts are those of the reference loop.
    """
    program, count = lab.bench.program(lab.recipe), lab.scale.steps
    contestants = {
        "products": _times(Products(lab.recipe.batch).training, count),
        "bare": _times(bare(lab), count),
        "ours": steps(program, lab, count, engine_of(lab.bench.setting)),
        "loop": steps(program, lab, count, Loop()),
        **{name: _times(part, count) for name, part in parts(program, lab).items()},
    }
    seconds = interleaved(contestants, rounds=lab.scale.many)
    micros = {name: 1e6 * values / count for name, values in seconds.items()}
    other = micros["ours"] - micros["bare"]
    return [
        Result("the 8 products", micros["products"], "µs"),
        Result("bare: forward, backward, update", micros["bare"], "µs"),
        Result("prunescope's step", micros["ours"], "µs"),
        Result("the reference loop's step", micros["loop"], "µs"),
        Result("the reference loop : prunescope", micros["loop"] / micros["ours"], "times"),
        Result("everything else: prunescope - bare", other, "µs", high=20),
        Result("of it: choosing and gathering the batch", micros["batch"], "µs"),
        Result("everything else without the batch", other - micros["batch"], "µs"),
        Result("the loop's forward and backward", micros["gradients"], "µs"),
        Result("the loop's update, dense", micros["update"], "µs"),
        Result("the loop's update, every layer masked", micros["masked"], "µs"),
        Result("the products : bare", 100 * micros["products"] / micros["bare"], "%"),
        Result("the products : prunescope's step", 100 * micros["products"] / micros["ours"], "%"),
    ]


def bare(lab: Laboratory) -> Callable[[], object]:
    """A step of plain PyTorch on one batch."""
    network = lab.recipe.task.network.build()
    params: list[Tensor] = list(network.parameters())
    x, y = lab.problem.train.batch(torch.arange(lab.recipe.batch))

    def one() -> None:
        grads = torch.autograd.grad(F.cross_entropy(network(x), y), params)
        with torch.no_grad():
            torch._foreach_add_(params, grads, alpha=-0.1)

    return one


def steps(program: Program, lab: Laboratory, count: int, engine: Engine) -> Callable[[], object]:
    """So many steps of an engine."""
    stepper, progress = Stepper(program), begin(program, lab.weights, 0)
    replica = Replica(stepper, progress.state, progress.running, progress.local)

    def several() -> None:
        nonlocal replica
        [replica] = engine.advance([replica], count)

    return several


def parts(program: Program, lab: Laboratory) -> dict[str, Callable[[], object]]:
    """Parts of prunescope's step by themselves."""
    stepper, state = Stepper(program), begin(program, lab.weights, 0).state
    optimizer, params = program.optimizer, state.weights.params
    masks = {name: mask.float() for name, mask in state.weights.masks.items()}
    x, y = stepper.batch(0)
    _, grads, _, _ = gradients(program, state.weights, x, y)
    number = 0

    def batch() -> None:
        nonlocal number
        stepper.batch(number)
        number += 1

    return {
        "batch": batch,
        "gradients": lambda: gradients(program, state.weights, x, y),
        "update": lambda: optimizer.update(grads, state.opt, params, keep={}, lr=0.1),
        "masked": lambda: optimizer.update(grads, state.opt, params, keep=masks, lr=0.1),
    }


def _times(function: Callable[[], object], count: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(count):
            function()

    return repeated
