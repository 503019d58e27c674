"""What all questions share: how large they are, the data, a recipe, a store that is thrown away."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prunescope.base.errors import DataError
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.runs.execution.executors.processes import keep_memory
from prunescope.runs.execution.executors.worker import do
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.devices import one_thread
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.machine.loader import fresh_weights
from prunescope.runs.store.plan import Job
from prunescope.runs.store.store import Store
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels.kernel_config import fastest
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Problem, Task
from prunescope.training.optim import SGD
from prunescope.training.probes import Probe
from prunescope.training.schedules import Constant


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    rounds: of what takes seconds.
    many: rounds of what takes milliseconds.
    train, test: examples.
    steps: training steps between two looks at the clock.
    recipes: in the smaller plan; the larger has ten times more.
    """

    rounds: int
    many: int
    train: int
    test: int
    steps: int
    recipes: int


FULL = Scale(rounds=5, many=101, train=60_000, test=10_000, steps=10, recipes=10_000)
QUICK = Scale(rounds=1, many=2, train=512, test=256, steps=2, recipes=60)


def train(bench: Workbench, recipe: Recipe, *probes: Probe) -> None:
    """Makes a run as a worker does."""
    do(bench, Job(recipe, (), probes), lambda run, steps: True, lambda message: None)


@dataclass(frozen=True)
class Laboratory:
    """LeNet-300-100 and its data in memory, and a workbench on an empty store, with the engine of this machine."""

    scale: Scale
    recipe: Recipe
    bench: Workbench
    problem: Problem
    images: str

    @property
    def weights(self) -> Weights:
        """Fresh weights of the network."""
        return fresh_weights(self.problem.model, 0)

    def recipes(self) -> Iterator[Recipe]:
        """The recipe again and again, each time under another order of batches, so that none is stored yet."""
        for number in itertools.count(1):
            yield self.recipe.replace(seeds=Seeds(order=number))


@contextmanager
def laboratory(scale: Scale) -> Iterator[Laboratory]:
    """A laboratory on one torch thread, with the memory settings of prunescope's own worker processes."""
    keep_memory()
    source, images = _source(scale)
    recipe = Recipe(
        task=Task(network=network("prunescope.tasks.nets:LeNet"), data=Data(source=source)),
        optimizer=SGD(),
        schedule=Constant(lr=0.1),
        batch=128,
        length="1ep",
    )
    with tempfile.TemporaryDirectory(prefix="prunescope-bench-") as folder, one_thread():
        store = Store(f"{folder}/store")
        bench = Workbench(store, setting=EngineSetting(engine="lean", kernels=fastest()))
        yield Laboratory(scale, recipe, bench, bench.problem(recipe), images)


def _source(scale: Scale) -> tuple[Source, str]:
    """MNIST where it is at hand and as large as asked for; otherwise random images of the same shape."""
    if scale.train == FULL.train:
        try:
            return mnist(), "MNIST"
        except DataError:
            pass  # speed does not depend on what the images show
    source = synthetic(classes=10, shape=(1, 28, 28), train=scale.train, test=scale.test)
    return source, f"random images in MNIST's shape ({scale.train:,} and {scale.test:,})"
