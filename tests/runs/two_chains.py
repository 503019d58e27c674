"""Two chains of three runs, with a reading of each run, for tests of whole stores."""

from prunescope.base.streams import replicate
from prunescope.measures import Risk
from prunescope.runs.graph.families import final, imp
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store import housekeeping
from prunescope.runs.store.store import Store
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


def chain(seed: int, levels: int = 2) -> list[Recipe]:
    net = network("prunescope.tasks.nets:LeNet", inputs=16, classes=4, hidden=(8, 8))
    base = Recipe(
        task=Task(network=net, data=Data(source=synthetic(train=64, test=32), label_noise=0.25)),
        optimizer=SGD(),
        schedule=Constant(lr=0.1),
        batch=32,
        length="1ep",
        seeds=replicate(seed),
    )
    return imp(base, levels=levels)


def reading(recipe: Recipe) -> Reading:
    return Reading(measure=Risk(), state=final(recipe))


def contents(store: Store) -> dict[str, bytes | None]:
    """Every object that has a digest."""
    return {key: store.storage.get(key) for key in housekeeping.files(store)}
