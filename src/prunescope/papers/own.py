"""A user's network, as far as settings can name it; what is done to it is in `yours.py` of each paper."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from prunescope.base.value import Value
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.cifar import cifar10, cifar100
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tables import file_source
from prunescope.tasks.model import Network
from prunescope.tasks.targets import Binary, Classes, MultiLabel, Regression, Sequence, Target
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import Optimizer
from prunescope.training.schedules import Schedule

SOURCES: Mapping[str, Callable[[], Source]] = MappingProxyType(
    {"digits": digits, "mnist": mnist, "cifar10": cifar10, "cifar100": cifar100}
)
TargetName = Literal["classes", "binary", "multilabel", "regression", "sequence"]
TARGETS: Mapping[TargetName, type[Target]] = MappingProxyType(
    {
        "classes": Classes,
        "binary": Binary,
        "multilabel": MultiLabel,
        "regression": Regression,
        "sequence": Sequence,
    }
)
Count = Annotated[int, Field(ge=1)]


class Own(Value):
    """A network and its training.

    network, arguments: import path and arguments of a factory, your own included.
    data, share: of which data set, and how much of its training set; a name, or the path of an npz or parquet file or
        of a folder of pictures (`tasks/data/tables.py`).
    target: what the labels are.
    """

    added: ClassVar[frozenset[str]] = frozenset({"target"})
    network: str = "prunescope.tasks.nets:LeNet"
    arguments: dict[str, JsonValue] = {"inputs": 64}
    data: str = "digits"
    share: float = Field(default=1.0, gt=0, le=1)
    target: TargetName = "classes"
    optimizer: Optimizer
    schedule: Schedule
    epochs: Count = 40
    batch: Count = 64
    replicates: Count = 3

    def recipe(self) -> Recipe:
        """The training of one network."""
        network, target = Network(path=self.network).with_args(**self.arguments), TARGETS[self.target]()
        if self.data in SOURCES:
            source, layout = SOURCES[self.data](), None
        else:
            source, layout = file_source(self.data, target, names=tuple(SOURCES))
        return Recipe(
            task=Task(
                network=network if layout is None else network.replace(layout=layout),
                data=Data(source=source, share=self.share),
                target=target,
            ),
            optimizer=self.optimizer,
            schedule=self.schedule,
            batch=self.batch,
            length=f"{self.epochs}ep",
        )
