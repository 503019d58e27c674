"""How much of an experiment is run.

Belongs here: the settings that all studies of the two papers share. Does not belong here: the papers' own settings
(`training.py`, `pruning.py`).
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from prunescope.base.value import Value
from prunescope.training.epoch_probes import Limit

PAPER_2019 = (
    "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network Pruning, "
    "arXiv 1906.03728v1, 2019"
)
PAPER_2020 = (
    "Bartoldson, Morcos, Barbu, Erlebacher: The Generalization-Stability Tradeoff in Neural Network Pruning, "
    "NeurIPS 2020"
)
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
T = TypeVar("T")


def _ascend(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{list(values)} must ascend, without repetition: {sorted(set(values))}")
    return values


def _differ(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{twice} is there more than once; list everything once")
    return values


Ascending = Annotated[tuple[T, ...], AfterValidator(_ascend)]
"""Numbers, each larger than the one before."""
Distinct = Annotated[tuple[T, ...], AfterValidator(_differ)]
"""Different values."""


class Size(Value):
    """What is run of an experiment.

    data: the paper's, or Gaussian blobs of the images' shape (`blobs` for training and as many for testing), which
    only show that the path works. share: of the training images. width: factor on every layer's width. compress: what
    every number of epochs is divided by, of schedules and of pruning. batch, replicates: the paper's, or another.
    """

    data: Literal["paper", "blobs"] = "paper"
    blobs: Count = 64
    share: Share = 1.0
    width: Annotated[float, Field(gt=0)] = 1.0
    compress: Annotated[float, Field(ge=1)] = 1.0
    batch: Count | Literal["paper"] = "paper"
    replicates: Count | Literal["paper"] = "paper"


class TraceSize(Size):
    """The same where runs are looked at while they train.

    test_limit, train_limit: examples looked at after every epoch.
    """

    test_limit: Limit = "all"
    train_limit: Limit = 5000


class EventSize(TraceSize):
    """The same where networks with BatchNorm are pruned.

    recalibration: training batches behind statistics that are estimated anew around events; 0 leaves that out.
    """

    recalibration: Annotated[int, Field(ge=0)] = 20


class FlatnessSize(EventSize):
    """The same where flatness is measured.

    flat_images: test images for that. flat_steps: steps, and draws, of adaptive sharpness.
    """

    flat_images: Count = 512
    flat_steps: Annotated[int, Field(ge=2)] = 20


def words(size: Size, scale: str) -> str:
    """The size in one line for people."""
    parts = []
    if size.data == "blobs":
        parts.append(f"{size.blobs} Gaussian blobs in place of images")
    elif size.share < 1:
        parts.append(f"{100 * size.share:g} % of the training images")
    parts += [f"widths times {size.width:g}"] if size.width != 1 else []
    parts += [f"epochs divided by {size.compress:g}"] if size.compress != 1 else []
    parts += [f"batches of {size.batch}"] if size.batch != "paper" else []
    parts += (
        [f"{size.replicates} replicates"] if size.replicates != "paper" else ["as many runs as the paper"]
    )
    if isinstance(size, TraceSize) and size.test_limit != "all":
        parts.append(f"{size.test_limit} test images after every epoch")
    return f"{scale}: {', '.join(parts)}"
