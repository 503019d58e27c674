"""The training settings of the papers, as a table.

Belongs here: networks, data, optimizers and lengths of training. Does not belong here: how much of it is run
(`sizes.py`), pruning (`pruning.py`).
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Literal

from prunescope.papers.bartoldson.sizes import Size
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.cifar import CIFAR10, CIFAR100, cifar10, cifar100
from prunescope.tasks.data.per_class import per_class
from prunescope.tasks.data.source import Source
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import Network, network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD, Adam, Optimizer
from prunescope.training.schedules import Constant, Milestones, Schedule

Name = Literal[
    "vgg11",
    "vgg11-short",
    "resnet18",
    "resnet18-sgd",
    "resnet20-sgd",
    "resnet56-sgd",
    "resnet18-cifar100",
    "conv4",
]


ADAM = Adam()


@dataclass(frozen=True)
class Group:
    """One group of experiments.

    drops: epochs at which the learning rate falls by a factor of 10. replicates: runs of every setting.
    """

    network: Network
    _: KW_ONLY
    classes: int = 10
    optimizer: Optimizer = ADAM
    lr: float = 1e-3
    drops: tuple[int, ...] = (150, 300)
    epochs: int = 325
    batch: int = 128
    augmentation: bool = False
    replicates: int = 10

    def recipe(self, size: Size, *, examples_per_class: int | None = None, seed: int = 0) -> Recipe:
        """The network without pruning at a size; its schedule is cut in proportion.

        examples_per_class: training examples of each class, drawn by `seed`; the batch then follows `batch_for`.

        Raises DataError if the data set is not there.
        """
        source = self.source(size)
        batch = self.batch if size.batch == "paper" else size.batch
        if examples_per_class is not None:
            source = per_class(source, examples_per_class, classes=self.classes, seed=seed)
            batch = batch_for(source.train) if size.batch == "paper" else size.batch
        return Recipe(
            task=Task(
                network=self.network.with_args(scale=size.width),
                data=Data(source=source, share=size.share, augmentation=self._augmentation(size)),
            ),
            optimizer=self.optimizer,
            schedule=self.schedule(size),
            batch=batch,
            length=f"{self.length(size)}ep",
        )

    def length(self, size: Size) -> int:
        """Epochs of training at a size."""
        return max(1, round(self.epochs / size.compress))

    def schedule(self, size: Size) -> Schedule:
        """The learning rate."""
        if not self.drops:
            return Constant(lr=self.lr)
        factor = self.length(size) / self.epochs
        return Milestones(lr=self.lr, drops=tuple(f"{drop * factor:g}ep" for drop in self.drops))

    def source(self, size: Size) -> Source:
        """The data set; Gaussian blobs of the images' shape where nothing but the path is tested."""
        if size.data == "blobs":
            return synthetic(
                classes=self.classes, shape=(3, 32, 32), train=size.blobs, test=size.blobs, separation=6.0
            )
        return cifar100() if self.classes == 100 else cifar10()

    def _augmentation(self, size: Size) -> tuple[CropFlip, ...]:
        black = (CIFAR100 if self.classes == 100 else CIFAR10).zero
        return (CropFlip(fill=(0.0,) if size.data == "blobs" else black),) if self.augmentation else ()

    def augmented(self, augmentation: bool) -> "Group":
        """The same group with or without random crops and flips."""
        return replace(self, augmentation=augmentation)


def batch_for(examples: int) -> int:
    """The batch size that keeps about 391 updates an epoch: round(n / 391), at least 1.

    Source: Bartoldson et al. 2019, appendix A.4 (1280 / 391 = 3, which makes 427 updates).

    >>> [batch_for(10 * n) for n in (128, 512, 2048, 5000)]
    [3, 13, 52, 128]
    """
    return max(1, round(examples / 391))


_VGG11 = network(
    "prunescope.tasks.nets:VGG",
    depth=11,
    last_pool="max",
    initialization="kaiming_normal_fan_out",
    batchnorm="ones",
)
_RESNET18 = network("prunescope.tasks.nets:GatedResNet18")


def _thin(depth: int) -> Network:
    return network(
        "prunescope.tasks.nets:GatedCifarResNet", depth=depth, shortcut="zero_pad", batchnorm="ones"
    )


def _sgd(net: Network) -> Group:
    """The settings of He et al. 2016, as the 2020 paper uses them in its section 3.2."""
    return Group(
        net,
        optimizer=SGD(momentum=0.9, weight_decay=1e-4),
        lr=0.1,
        drops=(83, 125),
        epochs=165,
        augmentation=True,
    )


GROUPS: Mapping[Name, Group] = MappingProxyType(
    {
        "vgg11": Group(_VGG11),
        "vgg11-short": Group(_VGG11, drops=(50, 120), epochs=175),
        "resnet18": Group(_RESNET18),
        "resnet18-sgd": _sgd(_RESNET18),
        "resnet20-sgd": _sgd(_thin(20)),
        "resnet56-sgd": _sgd(_thin(56)),
        "resnet18-cifar100": Group(
            _RESNET18.with_args(classes=100),
            classes=100,
            lr=1e-4,
            drops=(2000,),
            epochs=4000,
            augmentation=True,
        ),
        "conv4": Group(network("prunescope.tasks.nets:Conv4"), drops=(), epochs=25, replicates=20),
    }
)
"""All groups.

Source: Bartoldson et al. 2020, section 2 and the authors' code; Bartoldson et al. 2019, appendix A.2 and the captions
of its figures. The replicates of "vgg11-short" and Conv4's ReLU and initialization are proposed here.
"""
