"""The benchmarks of Jin et al. 2022: networks, data and training settings.

Belongs here: what the paper's section 2 and the library it used say, as a table. Does not belong here: how much of it
is run (`sizes.py`), arms, figures, claims.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Literal

from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Remaining
from prunescope.tasks.data.augmentation import Augmentation, CropFlip, RandomResizedCrop
from prunescope.tasks.data.cifar import CIFAR100, IMAGENET, cifar10, cifar100
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.idx import mnist
from prunescope.tasks.data.images import image_folder
from prunescope.tasks.data.source import Source
from prunescope.tasks.model import Network, network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Prune
from prunescope.training.optim import SGD, Optimizer
from prunescope.training.schedules import Constant, Milestones, Schedule, Warmup

Name = Literal["digits", "lenet", "resnet20", "vgg16", "resnet32", "resnet32-wide", "resnet50"]


@dataclass(frozen=True)
class Column:
    """One benchmark, which is one column of the paper's figures.

    epochs: of the full schedule; drops (by a factor of 10), warmup (linear), rewind and early are epochs of that
    schedule and shrink with it. early: when EL2N is measured. excluded: maskable tensors that are never pruned.
    fits: training accuracy without label noise, percent, below which claims on training losses mean nothing; of the
    narrow ResNet-32 less than of the others, since so few weights do not fit 100 classes.
    """

    network: Network
    source: Callable[[], Source]
    _: KW_ONLY
    epochs: int
    batch: int
    optimizer: Optimizer
    lr: float
    drops: tuple[int, ...] = ()
    warmup: int = 0
    rewind: int
    early: int
    excluded: tuple[str, ...] = ()
    augmentation: tuple[Augmentation, ...] = ()
    fits: float = 99.0

    def recipe(self, *, epochs: int, share: float = 1.0, validation: int = 0) -> Recipe:
        """The dense network without label noise, its schedule cut to `epochs` in proportion.

        share: of the training set that is used. validation: examples held out of it.

        Raises DataError if the data set is not there.
        """
        data = Data(source=self.source(), share=share, validation=validation, augmentation=self.augmentation)
        return Recipe(
            task=Task(network=self.network, data=data),
            optimizer=self.optimizer,
            schedule=self.schedule(epochs),
            batch=self.batch,
            length=f"{epochs}ep",
        )

    def schedule(self, epochs: int) -> Schedule:
        """The learning rate over a schedule of `epochs`."""
        then: Schedule = Constant(lr=self.lr)
        if self.drops:
            then = Milestones(lr=self.lr, drops=tuple(self.at(drop, epochs) for drop in self.drops))
        return Warmup(steps=self.at(self.warmup, epochs), then=then) if self.warmup else then

    def opening(self, epochs: int) -> Schedule:
        """The schedule without its drops: the same learning rates up to the first of them."""
        then = Constant(lr=self.lr)
        return Warmup(steps=self.at(self.warmup, epochs), then=then) if self.warmup else then

    def at(self, epoch: int, epochs: int) -> str:
        """A position in the full schedule as the duration that it is in a schedule of `epochs`."""
        return f"{epoch * epochs / self.epochs:g}ep"

    @property
    def prune(self) -> Prune:
        """What every level removes: 20 % of the remaining weights, smallest magnitude, global."""
        return Prune(amount=Remaining(fraction=0.2), exclude=self.excluded)


def _cifar(
    net: Network,
    source: Callable[[], Source],
    *,
    padding: tuple[float, ...],
    excluded: tuple[str, ...] = (),
    fits: float = 98.0,
) -> Column:
    """A network for 32x32 images under OpenLTH's settings, which all of them share."""
    return Column(
        net,
        source,
        epochs=160,
        batch=128,
        optimizer=SGD(momentum=0.9, weight_decay=1e-4),
        lr=0.1,
        drops=(80, 120),
        rewind=10,
        early=10,
        excluded=excluded,
        augmentation=(CropFlip(fill=padding),),
        fits=fits,
    )


def _resnet(depth: int, *, width: int = 16, classes: int = 10) -> Network:
    return network("prunescope.tasks.nets:CifarResNet", depth=depth, width=width, classes=classes)


def _cifar10() -> Source:
    return cifar10(normalization=IMAGENET)


COLUMNS: Mapping[Name, Column] = MappingProxyType(
    {
        "digits": Column(
            network("prunescope.tasks.nets:LeNet", inputs=64),
            digits,
            epochs=60,
            batch=64,
            optimizer=SGD(),
            lr=0.1,
            rewind=0,
            early=5,
        ),
        "lenet": Column(
            network("prunescope.tasks.nets:LeNet"),
            mnist,
            epochs=40,
            batch=128,
            optimizer=SGD(),
            lr=0.1,
            rewind=0,
            early=2,
            excluded=("fc.weight",),
        ),
        "resnet20": _cifar(_resnet(20), _cifar10, padding=IMAGENET.zero),
        "vgg16": _cifar(
            network("prunescope.tasks.nets:VGG", depth=16),
            _cifar10,
            padding=IMAGENET.zero,
            excluded=("fc.weight",),
            fits=99.9,
        ),
        "resnet32": _cifar(_resnet(32, classes=100), cifar100, padding=CIFAR100.zero, fits=80.0),
        "resnet32-wide": _cifar(_resnet(32, width=32, classes=100), cifar100, padding=CIFAR100.zero),
        "resnet50": Column(
            network("prunescope.tasks.nets:ResNet50"),
            lambda: image_folder("imagenet"),
            epochs=90,
            batch=1024,
            optimizer=SGD(momentum=0.9, weight_decay=1e-4),
            lr=0.4,
            drops=(30, 60, 80),
            warmup=5,
            rewind=10,
            early=10,
            augmentation=(RandomResizedCrop(),),
            fits=70.0,
        ),
    }
)
"""All benchmarks. "digits" is not the paper's: it ships with the package and runs in seconds.

Source: Jin et al. 2022, section 2, for networks, data and rewind epochs; the settings of OpenLTH, which it used, for
the rest. The epoch of EL2N, the threshold `fits` and the width of ResNet-32 are proposed here.
"""


def lenet(*, epochs: int = 40, share: float = 1.0) -> Recipe:
    """LeNet-300-100 on MNIST: 40 epochs of SGD without momentum, learning rate 0.1, batch 128, no augmentation.

    share: of the training set that is used; 1 is the paper's.

    Source: Jin et al. 2022, section 2 and the settings of OpenLTH's mnist_lenet_300_100.
    """
    return COLUMNS["lenet"].recipe(epochs=epochs, share=share)
