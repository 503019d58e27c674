"""What the two papers train and how they prune it, as tables, and how much of that each scale runs.

Belongs here: networks, data, training, schedules of pruning, and the settings that cut them down. Does not belong here:
arms of runs (`arms.py`), what only one figure varies (its own file).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from math import ceil, floor
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

import prunescope as ps
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.cifar import CIFAR10, CIFAR100
from prunescope.tasks.data.per_class import per_class
from prunescope.training.probes import Limit

Count = Annotated[int, Field(ge=1)]
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


class Size(ps.Value):
    """How much of an experiment is run.

    data: the paper's, or Gaussian blobs of the images' shape, which only show that the path works.
    blobs: how many of them for training, and as many for testing.
    share: part of the training images.
    width: factor on every layer's width.
    compress: what every number of epochs is divided by, of learning-rate schedules and of pruning.
    batch, replicates: the paper's, or another number.
    """

    data: Literal["paper", "blobs"] = "paper"
    blobs: Count = 64
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    width: Annotated[float, Field(gt=0)] = 1.0
    compress: Annotated[float, Field(ge=1)] = 1.0
    batch: Count | Literal["paper"] = "paper"
    replicates: Count | Literal["paper"] = "paper"


class TraceSize(Size):
    """The same where accuracy is measured while networks train.

    test_limit, train_limit: examples that it is measured on after every epoch.
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

    flat_images: test images that it is measured on.
    flat_steps: steps, and draws, of adaptive sharpness.
    """

    flat_images: Count = 512
    flat_steps: Annotated[int, Field(ge=2)] = 20


SMOKE: Mapping[str, Any] = {
    "data": "blobs",
    "blobs": 20,
    "width": 0.0625,
    "compress": 36.0,
    "batch": 10,
    "replicates": 2,
} | {"recalibration": 1, "flat_images": 10, "flat_steps": 2}
"""Seconds where nothing is learned: it only shows that the path works."""
LAPTOP: Mapping[str, Any] = {"share": 0.05, "width": 0.25, "compress": 5.0, "batch": 64, "replicates": 3} | {
    "test_limit": 1000,
    "train_limit": 1000,
    "recalibration": 4,
    "flat_images": 256,
}
"""A quarter of the width, a twentieth of the images, a fifth of the epochs: proposed here. One run of the arm that is
disrupted most fitted its images from the sixth epoch after its last event on."""
S = TypeVar("S", bound=Size)


def scales_of(
    kind: type[S], *, smoke: Mapping[str, Any] | None = None, laptop: Mapping[str, Any] | None = None
) -> Mapping[str, S]:
    """The settings of a study by scale: `SMOKE` and `LAPTOP` with what the study changes, and the paper's own."""
    changed = {"smoke": {**SMOKE, **(smoke or {})}, "laptop": {**LAPTOP, **(laptop or {})}, "paper": {}}
    return {
        scale: kind(**{name: value for name, value in fields.items() if name in kind.model_fields})
        for scale, fields in changed.items()
    }


ADAM = ps.Adam()


@dataclass(frozen=True)
class Group:
    """The training of one group of experiments.

    network: of the papers' width.
    classes: 10 for CIFAR-10, 100 for CIFAR-100.
    drops: epochs at which the learning rate falls by a factor of 10.
    augmentation: whether images are cropped and flipped at random.
    replicates: runs of every setting.
    """

    network: ps.Network
    _: KW_ONLY
    classes: int = 10
    optimizer: ps.Optimizer = ADAM
    lr: float = 1e-3
    drops: tuple[int, ...] = (150, 300)
    epochs: int = 325
    batch: int = 128
    augmentation: bool = False
    replicates: int = 10

    def recipe(self, size: Size, *, examples_per_class: int | None = None, seed: int = 0) -> ps.Recipe:
        """The network without pruning at a size; its schedule is cut in proportion.

        examples_per_class: training examples of each class, drawn by `seed`; the batch then follows `batch_for`.

        Raises DataError if the data set is not there.
        """
        batch, count = self.batch, size.blobs
        source: ps.Source = (
            ps.synthetic(classes=self.classes, shape=(3, 32, 32), train=count, test=count, separation=6.0)
            if size.data == "blobs"
            else {10: ps.cifar10, 100: ps.cifar100}[self.classes]()
        )
        if examples_per_class is not None:
            source = per_class(source, examples_per_class, classes=self.classes, seed=seed)
            batch = batch_for(source.train)
        return ps.Recipe(
            task=ps.Task(
                network=self.network.with_args(scale=size.width),
                data=ps.Data(source=source, share=size.share, augmentation=self._augmentation(size)),
            ),
            optimizer=self.optimizer,
            schedule=self._schedule(size),
            batch=batch if size.batch == "paper" else size.batch,
            length=f"{self.length(size)}ep",
        )

    def length(self, size: Size) -> int:
        """Epochs of training at a size."""
        return max(1, round(self.epochs / size.compress))

    def runs(self, size: Size) -> int:
        """Runs of every setting at a size."""
        return self.replicates if size.replicates == "paper" else size.replicates

    def _schedule(self, size: Size) -> ps.Schedule:
        if not self.drops:
            return ps.Constant(lr=self.lr)
        factor = self.length(size) / self.epochs
        return ps.Milestones(lr=self.lr, drops=tuple(f"{drop * factor:g}ep" for drop in self.drops))

    def _augmentation(self, size: Size) -> tuple[CropFlip, ...]:
        black = (CIFAR100 if self.classes == 100 else CIFAR10).zero
        return (CropFlip(fill=(0.0,) if size.data == "blobs" else black),) if self.augmentation else ()


def batch_for(examples: int) -> int:
    """The batch size that keeps about 391 updates an epoch: round(n / 391), at least 1.

    Source: Bartoldson et al. 2019, appendix A.4 (1280 / 391 = 3, which makes 427 updates).

    >>> [batch_for(10 * n) for n in (128, 512, 2048, 5000)]
    [3, 13, 52, 128]
    """
    return max(1, round(examples / 391))


_VGG11 = ps.network(
    "prunescope.tasks.nets:VGG", depth=11, last_pool="max", initialization="kaiming_normal_fan_out", batchnorm="ones"
)
_RESNET18 = ps.network("prunescope.tasks.nets:GatedResNet18")


def _sgd(net: ps.Network) -> Group:
    """The settings of He et al. 2016, as the 2020 paper uses them in its section 3.2."""
    momentum = ps.SGD(momentum=0.9, weight_decay=1e-4)
    return Group(net, optimizer=momentum, lr=0.1, drops=(83, 125), epochs=165, augmentation=True)


VGG11, VGG11_SHORT = Group(_VGG11), Group(_VGG11, drops=(50, 120), epochs=175)
RESNET18, RESNET18_SGD = Group(_RESNET18), _sgd(_RESNET18)
RESNET20_SGD, RESNET56_SGD = (
    _sgd(ps.network("prunescope.tasks.nets:GatedCifarResNet", depth=depth, shortcut="zero_pad", batchnorm="ones"))
    for depth in (20, 56)
)
RESNET18_CIFAR100 = Group(
    _RESNET18.with_args(classes=100), classes=100, lr=1e-4, drops=(2000,), epochs=4000, augmentation=True
)
CONV4 = Group(ps.network("prunescope.tasks.nets:Conv4"), drops=(), epochs=25, replicates=20)
"""All groups.

Source: Bartoldson et al. 2020, section 2 and the authors' code; Bartoldson et al. 2019, appendix A.2 and the captions
of its figures. The replicates of VGG11_SHORT and Conv4's ReLU and initialization are proposed here.
"""


@dataclass(frozen=True)
class Layers:
    """A schedule of pruning for several layers.

    names: the layers, in forward order.
    starts, ends: first and last epoch of pruning of each, counted from 0.
    fractions: the share of each that goes in all.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    fractions: tuple[float, ...]

    def schedules(self, size: Size, period: int) -> tuple[ps.LayerSchedule, ...]:
        """One event every `period` epochs, all epochs cut to the size: at least epoch 1, at least 1 apart."""
        step = self._period(size, period)
        return tuple(
            ps.LayerSchedule.after_epochs(name, start=start, end=end, fraction=fraction, period=step)
            for name, (start, end), fraction in zip(self.names, self._epochs(size), self.fractions, strict=True)
        )

    def events(self, size: Size, period: int) -> tuple[int, ...]:
        """How many events each layer has."""
        step = self._period(size, period)
        return tuple(len(range(start, end + 1, step)) for start, end in self._epochs(size))

    def rate(self, size: Size, period: int) -> float:
        """The largest share of a layer that goes at one event, percent of its original size: the iterative rate."""
        shares = zip(self.fractions, self.events(size, period), strict=True)
        return max(100 * fraction / events for fraction, events in shares)

    def at_rate(self, size: Size, period: int, shares: tuple[float, ...]) -> "Layers":
        """The same layers and epochs, with these shares going at every event, percent."""
        events = self.events(size, period)
        fractions = tuple(round(share * n / 100, 10) for share, n in zip(shares, events, strict=True))
        return replace(self, fractions=fractions)

    def _period(self, size: Size, period: int) -> int:
        return max(1, ceil(period / size.compress))

    def _epochs(self, size: Size) -> list[tuple[int, int]]:
        starts = [max(1, round(start / size.compress)) for start in self.starts]
        ends = [floor(end / size.compress) for end in self.ends]  # never later than the paper's
        return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


SLOW, FAST = 4, 40
"""Epochs between events at the low and at the high iterative rate of Figure 2 of 2020."""
_LAST4 = ("conv5", "conv6", "conv7", "conv8")
_BLOCK4 = ("layer4.0.conv1", "layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2")
VGG11_LAYERS = Layers(_LAST4, (3, 4, 5, 6), (150, 150, 150, 275), (0.3, 0.3, 0.3, 0.9))
"""Figures 2, 3, 5, 6, B2, D2 of 2020; Figures 1 and 2 of 2019."""
RESNET18_LAYERS = Layers(_BLOCK4, (7, 8, 9, 10), (150, 150, 170, 275), (0.25, 0.4, 0.25, 0.95))
"""Figure 2 of 2020."""
RESNET18_EARLY = replace(RESNET18_LAYERS, starts=(3, 4, 5, 6))
"""Figure B2 of 2020."""
RESNET18_MORE = replace(RESNET18_LAYERS, fractions=(0.25, 0.8, 0.25, 0.95))
"""Table C1 of 2020."""
RESNET18_LAST = Layers(_BLOCK4[-1:], (2500,), (3500,), (0.7,))
"""Table F1 of 2020, on CIFAR-100."""
SHORT = Layers(_LAST4, (3, 3, 3, 3), (50, 50, 50, 120), (0.3, 0.3, 0.3, 0.9))
"""Figure 3 of 2019, whose fractions follow from the rate."""
SHORT_FIXED = replace(SHORT, fractions=(0.1, 0.1, 0.1, 0.9))
"""Figure A2 of 2019."""
