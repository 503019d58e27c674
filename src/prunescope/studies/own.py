"""A user's network, as far as settings can name it; what is done to it is in `explain` and `yours.py` of each paper."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from prunescope.base.value import Value
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.cifar import cifar10, cifar100
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.idx import fashion_mnist, mnist
from prunescope.tasks.data.layout import Layout
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.tables import file_source
from prunescope.tasks.model import Network
from prunescope.tasks.targets import Binary, Classes, MultiLabel, Regression, Sequence, Target
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import Optimizer
from prunescope.training.schedules import Schedule

SOURCES: Mapping[str, Callable[[], Source]] = MappingProxyType(
    {"digits": digits, "mnist": mnist, "fashion-mnist": fashion_mnist, "cifar10": cifar10, "cifar100": cifar100}
)
NETWORK = "prunescope.tasks.nets:LeNet"
TargetName = Literal["classes", "binary", "multilabel", "regression", "sequence"]
TARGETS: Mapping[TargetName, type[Target]] = MappingProxyType(
    {"classes": Classes, "binary": Binary, "multilabel": MultiLabel, "regression": Regression, "sequence": Sequence}
)
Count = Annotated[int, Field(ge=1)]


def source_named(
    name: str, target: Target, *, trained: bool = True, groups: Collection[str] = ()
) -> tuple[Source, Layout | None]:
    """The data set of a name or path on the command line, and how a network gets its examples; see `file_source`."""
    if name in SOURCES:
        return SOURCES[name](), None
    return file_source(name, target, names=tuple(SOURCES), trained=trained, groups=groups)


class Arguments(Value):
    """The settings of a study that is made in Python: a recipe, and by name what else the function was given."""

    recipe: Recipe
    how: dict[str, Any]


class Own(Value):
    """A network and its training.

    network: import path of a class or function that returns a fresh module, your own included.
    arguments: its keyword arguments.
    revision: raised when the code behind the path was changed, to keep the results of both.
    data: the data set: a name, or the path of an npz or parquet file or of a folder of pictures
        (`tasks/data/tables.py`).
    share: of its training examples that is used.
    target: what the labels are.
    optimizer, schedule: as in a recipe.
    epochs: length of the schedule.
    batch: examples a step.
    replicates: networks of every kind, each with its own seed.
    drop_last: whether an epoch leaves out its last batch where that would be smaller.
    """

    added: ClassVar[frozenset[str]] = frozenset({"drop_last", "revision", "target"})
    network: str = NETWORK
    arguments: dict[str, JsonValue] = {"inputs": 64}
    revision: int = Field(default=1, ge=1)
    data: str = "digits"
    share: float = Field(default=1.0, gt=0, le=1)
    target: TargetName = "classes"
    optimizer: Optimizer
    schedule: Schedule
    epochs: Count = 40
    batch: Count = 64
    replicates: Count = 3
    drop_last: bool = False

    def replace(self, **changes: Any) -> Self:
        """See `Value.replace`; another network does not inherit the arguments of the one before."""
        if changes.get("network", self.network) != self.network:
            changes = {"arguments": {}} | changes
        return super().replace(**changes)

    @model_validator(mode="before")
    @classmethod
    def _arguments_of_the_default(cls, fields: Any) -> Any:
        """The default arguments are those of the default network."""
        other = isinstance(fields, dict) and "network" in fields and fields["network"] != NETWORK
        return {"arguments": {}} | fields if other else fields

    def recipe(self) -> Recipe:
        """The training of one network."""
        network = Network(path=self.network, revision=self.revision).with_args(**self.arguments)
        target = TARGETS[self.target]()
        source, layout = source_named(self.data, target)
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
            drop_last=self.drop_last,
        )
