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
from prunescope.tasks.model import Network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import Optimizer
from prunescope.training.schedules import Schedule

SourceName = Literal["digits", "mnist", "cifar10", "cifar100"]
SOURCES: Mapping[SourceName, Callable[[], Source]] = MappingProxyType(
    {"digits": digits, "mnist": mnist, "cifar10": cifar10, "cifar100": cifar100}
)
Count = Annotated[int, Field(ge=1)]


class Own(Value):
    """A network and its training.

    network, arguments: import path and arguments of a factory, your own included.
    data, share: of which data set, and how much of its training set.
    drop_last: whether an epoch leaves out its last batch where that would be smaller.
    """

    added: ClassVar[frozenset[str]] = frozenset({"drop_last"})
    network: str = "prunescope.tasks.nets:LeNet"
    arguments: dict[str, JsonValue] = {"inputs": 64}
    data: SourceName = "digits"
    share: float = Field(default=1.0, gt=0, le=1)
    optimizer: Optimizer
    schedule: Schedule
    epochs: Count = 40
    batch: Count = 64
    replicates: Count = 3
    drop_last: bool = False

    def recipe(self) -> Recipe:
        """The training of one network."""
        return Recipe(
            task=Task(
                network=Network(path=self.network).with_args(**self.arguments),
                data=Data(source=SOURCES[self.data](), share=self.share),
            ),
            optimizer=self.optimizer,
            schedule=self.schedule,
            batch=self.batch,
            length=f"{self.epochs}ep",
            drop_last=self.drop_last,
        )
