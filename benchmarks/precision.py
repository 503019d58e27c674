"""Question: does bfloat16 change what is concluded?"""

import numpy as np
from torch import nn

from benchmarks.laboratory import FULL, Laboratory, train
from benchmarks.result import Numbers, Result
from prunescope.base.streams import replicate
from prunescope.measures import Risk
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Remaining
from prunescope.tasks.data.digits import digits
from prunescope.tasks.model import network
from prunescope.tasks.nets import CifarResNet
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Prune
from prunescope.training.loop import Precision
from prunescope.training.optim import SGD
from prunescope.training.schedules import Milestones

KINDS: tuple[Precision, ...] = ("float32", "bfloat16")
COUNT = 8
EPOCHS, TENTH = 4, Prune(amount=Remaining(fraction=0.9))
CONVOLUTIONAL_EPOCHS, HALF = 8, Prune(amount=Remaining(fraction=0.5))


def precision(lab: Laboratory) -> list[Result]:
    """Test error of LeNet-300-100 after four epochs, and after four more from the start with a tenth of its weights.

    And of ResNet-8, which has convolutions and BatchNorm, on the digits of 8 x 8 pixels: after eight epochs at batch 64
    with SGD's momentum and decay, and after eight more with half of its weights. Eight replicates each, once in float32
    and once in bfloat16 (products and convolutions in bfloat16, weights and their updates in float32): differences are
    paired. Seed noise: the standard deviation between replicates in float32, at least one test example. The effect of
    pruning is what a study concludes on.
    """
    count = COUNT if lab.scale is FULL else 2
    lenet = lab.recipe.replace(length=f"{EPOCHS}ep")
    resnet = on_digits(CONVOLUTIONAL_EPOCHS if lab.scale is FULL else 1)
    return [
        *_rows(lab, "LeNet", "a tenth", lenet, TENTH, count),
        *_rows(lab, "ResNet-8", "half", resnet, HALF, count),
    ]


def grey_resnet(depth: int) -> nn.Module:
    """A residual network whose first convolution sees one channel."""
    net = CifarResNet(depth=depth)
    first = net.conv1
    assert isinstance(first, nn.Conv2d)
    net.conv1 = nn.Conv2d(1, first.out_channels, 3, padding=1, bias=False)
    return net


def on_digits(epochs: int) -> Recipe:
    """ResNet-8 on the digits that ship with the package, the learning rate falling by 10 after three quarters."""
    return Recipe(
        task=Task(network=network("benchmarks.precision:grey_resnet", depth=8), data=Data(source=digits())),
        optimizer=SGD(momentum=0.9, weight_decay=1e-4),
        schedule=Milestones(lr=0.1, drops=("75%",)),
        batch=64,
        length=f"{epochs}ep",
    )


def _rows(lab: Laboratory, net: str, pruned: str, recipe: Recipe, prune: Prune, count: int) -> list[Result]:
    single, half = (_errors(lab, recipe.replace(precision=kind), prune, count) for kind in KINDS)
    rows, one = [], 100 / len(lab.bench.problem(recipe).test)
    for what, a, b in (
        ("dense", single[0], half[0]),
        (pruned, single[1], half[1]),
        ("effect of pruning", single[1] - single[0], half[1] - half[0]),
    ):
        name, noise = f"{net}, {what}", np.array([max(a.std(ddof=1), one)])
        rows += [
            Result(f"{name}: float32", a, "% test error"),
            Result(f"{name}: bfloat16", b, "% test error"),
            Result(f"{name}: seed noise", noise, "points"),
            Result(f"{name}: mean difference : seed noise", abs((b - a).mean()) / noise, "times", high=1),
        ]
    return rows


def _errors(lab: Laboratory, recipe: Recipe, prune: Prune, count: int) -> tuple[Numbers, Numbers]:
    """Percent, [count]: of the dense networks and of the pruned ones."""
    found = np.empty((2, count))
    for number in range(count):
        seeded = recipe.replace(seeds=replicate(number))
        for level, run in enumerate(imp(seeded, levels=1, prune=prune)):
            train(lab.bench, run)
            reading = Reading(measure=Risk(split="test"), state=final(run))
            lab.bench.read(reading)
            found[level, number] = 100 * float(lab.bench.store.reading(reading.id)["error"])
    return found[0], found[1]
