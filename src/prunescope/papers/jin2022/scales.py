"""The benchmarks of Jin et al. 2022: networks, data and training, and how much of each is run at every scale.

Belongs here: what the paper's section 2 and the library it used say, and the numbers that are proposed where they say
nothing, as a table. Does not belong here: what settings change of it (`settings.py`), arms, figures, claims.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.readings import EarlyScore
from prunescope.tasks.data.augmentation import CropFlip, RandomResizedCrop
from prunescope.tasks.data.cifar import CIFAR100, IMAGENET
from prunescope.tasks.data.images import image_folder
from prunescope.tasks.model import network

Standard = Literal["standard"]
"""What the benchmark's own table says at the chosen scale."""
Name = Literal["digits", "lenet", "resnet20", "vgg16", "resnet32", "resnet32-wide", "resnet50"]

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Noises = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(min_length=1)]

SMOKE = {"replicates": 2, "levels": 2, "width_levels": 1, "epochs": 2, "ensemble": 2}
"""Seconds where nothing is learned: it only shows that the path works."""
PATH = {"replicates": 2, "levels": 4, "width_levels": 2, "share": 0.02, "ensemble": 2}
"""The laptop scale of the large networks: fewer levels, noise levels and images, never fewer epochs, since noisy labels
are memorized late. On a share of the images an epoch has fewer steps, so claims about them are expected to be
unjudgeable, ResNet-50's with its 180 steps all of them.
"""


class Changed(ps.Value):
    """What is different from the benchmark's own network, images and steps: a part of a study's settings.

    network_scale: factor on the widths of the network.
    augmentation: whether images are augmented, where the benchmark does so.
    batch: examples a step.
    lr: learning rate before its drops.
    """

    added: ClassVar[frozenset[str]] = frozenset({"network_scale", "augmentation", "batch", "lr"})
    network_scale: Annotated[float, Field(gt=0)] = 1.0
    augmentation: bool = True
    batch: Count | Standard = "standard"
    lr: Annotated[float, Field(gt=0)] | Standard = "standard"

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the benchmark's own, by name."""
        kind = Training if isinstance(self, Training) else Changed
        given = {name: getattr(self, name) for name in kind.model_fields}
        return {name: value for name, value in given.items() if value != kind.model_fields[name].default}

    @property
    def changes_in_words(self) -> str:
        """The same for people, each behind a comma; empty where nothing differs."""
        return "".join(f", {name}={value:g}" for name, value in self.changes.items())


class Training(Changed):
    """What is different from the benchmark's own training, levels included.

    rewind: epoch of a level, from which every next level starts again.
    early: epoch of a level, when EL2N is measured.
    fraction: part of the remaining weights that a level removes.
    allow_collapse: whether a layer may lose its last weight; otherwise the chain ends there.
    """

    added: ClassVar[frozenset[str]] = frozenset({"rewind", "early", "fraction", "allow_collapse"})
    rewind: Annotated[int, Field(ge=0)] | Standard = "standard"
    early: Count | Standard = "standard"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    allow_collapse: bool = False


class Size(Training):
    """What is run of a benchmark.

    noises: shares of wrong training labels, ascending from 0.
    controls: those of them, 0 included, at which the controls are run: extended training, narrower networks, leave-out,
        other algorithms.
    replicates: runs of each arm, each with its own seed.
    levels: pruning steps; each removes `fraction` of the remaining weights.
    extended_levels: replays of extended training, one number for each of `controls`, never more than `levels`.
    width_levels: narrower dense networks, each with as many weights as the pruned network of its level.
    epochs: length of every level.
    share: part of the training images.
    ensemble: networks behind an EL2N score.
    validation: training examples held out; with any, optima are selected on them instead of on the test set.
    groups: of equally many examples, by score.
    left_out: share of the examples that leave-out experiments leave out.
    score: of examples, by which they are put into groups.
    """

    benchmark: Name
    noises: Noises
    controls: Noises
    replicates: Count = 3
    levels: Count
    extended_levels: Counts
    width_levels: Count
    epochs: Count
    share: Share = 1.0
    ensemble: Count = 10
    validation: Annotated[int, Field(ge=0)] = 0
    groups: Annotated[int, Field(ge=5)] = 20
    left_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    score: EarlyScore = "el2n"


@dataclass(frozen=True)
class Column:
    """One benchmark, which is one column of the paper's figures.

    network, source, batch, optimizer, lr, augmentation: of the training.
    epochs: of the full schedule; drops, warmup, rewind and early are epochs of that schedule and shrink with it.
    drops: of the learning rate, by a factor of 10.
    warmup: linear.
    rewind: where every level starts again.
    early: when EL2N is measured.
    excluded: maskable tensors that are never pruned.
    fits: training accuracy without label noise, percent, below which claims on training losses mean nothing; of the
        narrow ResNet-32 less than of the others, since so few weights do not fit 100 classes.
    noises: shares of wrong labels.
    levels: of pruning, extended training and width alike.
    ensemble: networks behind a score of examples.
    laptop: what is different at that scale.
    smoke: the share of the images at that scale.
    smoke_scale: factor on the widths at that scale, where passes over thousands of images would take an hour.
    fraction, allow_collapse: of every level of pruning.
    """

    network: ps.Network
    source: Callable[[], ps.Source]
    _: KW_ONLY
    epochs: int
    batch: int
    optimizer: ps.Optimizer
    lr: float
    drops: tuple[int, ...] = ()
    warmup: int = 0
    rewind: float
    early: float
    excluded: tuple[str, ...] = ()
    augmentation: tuple[ps.Augmentation, ...] = ()
    fits: float = 99.0
    noises: tuple[float, ...] = (0.0, 0.15, 0.3, 0.6)
    levels: int = 20
    ensemble: int = 10
    laptop: Mapping[str, Any] = field(default_factory=lambda: PATH)
    smoke: float = 0.01
    smoke_scale: float = 1.0
    fraction: float = 0.2
    allow_collapse: bool = False

    def recipe(self, *, epochs: int, share: float = 1.0, validation: int = 0) -> ps.Recipe:
        """The dense network without label noise, its schedule cut to `epochs` in proportion.

        share: of the training set that is used. validation: examples held out of it.

        Raises DataError if the data set is not there.
        """
        data = ps.Data(source=self.source(), share=share, validation=validation, augmentation=self.augmentation)
        return ps.Recipe(
            task=ps.Task(network=self.network, data=data),
            optimizer=self.optimizer,
            schedule=self.schedule(epochs),
            batch=self.batch,
            length=f"{epochs}ep",
        )

    def schedule(self, epochs: int) -> ps.Schedule:
        """The learning rate over a schedule of `epochs`."""
        drops = tuple(self.at(drop, epochs) for drop in self.drops)
        return self._warmed(ps.Milestones(lr=self.lr, drops=drops) if drops else ps.Constant(lr=self.lr), epochs)

    def opening(self, epochs: int) -> ps.Schedule:
        """The schedule without its drops: the same learning rates up to the first of them."""
        return self._warmed(ps.Constant(lr=self.lr), epochs)

    def _warmed(self, then: ps.Schedule, epochs: int) -> ps.Schedule:
        return ps.Warmup(steps=self.at(self.warmup, epochs), then=then) if self.warmup else then

    def at(self, epoch: float, epochs: int) -> str:
        """A position in the full schedule as the duration that it is in a schedule of `epochs`."""
        return f"{epoch * epochs / self.epochs:g}ep"

    @property
    def prune(self) -> ps.Prune:
        """What every level removes: a share of the remaining weights, smallest magnitude, global."""
        amount = ps.Remaining(fraction=self.fraction)
        return ps.Prune(amount=amount, exclude=self.excluded, allow_collapse=self.allow_collapse)


def column_of(name: Name, changed: Changed, epochs: int) -> Column:
    """A benchmark with the changes that are asked for, in a schedule of so many epochs."""
    column, changes = COLUMNS[name], changed.changes
    if "network_scale" in changes:
        scale = column.network.args["scale"] * changes.pop("network_scale")
        changes["network"] = column.network.with_args(scale=scale)
    if "augmentation" in changes:
        changes["augmentation"] = ()
    for place in changes.keys() & {"rewind", "early"}:
        changes[place] = changes[place] * column.epochs / epochs
    return replace(column, **changes)


def standard(name: Name, scale: str) -> Size:
    """The standard size of a benchmark; at the smaller scales, of its noise levels the first and the last."""
    column = COLUMNS[name]
    fields: dict[str, Any] = {
        "noises": column.noises,
        "levels": column.levels,
        "width_levels": column.levels,
        "epochs": column.epochs,
        "ensemble": column.ensemble,
    }
    if scale in ("laptop", "smoke"):
        fields["noises"] = (column.noises[0], column.noises[-1])
        smoke = {**SMOKE, "share": column.smoke, "network_scale": column.smoke_scale}
        fields |= column.laptop if scale == "laptop" else smoke
    fields.setdefault("controls", fields["noises"])
    fields.setdefault("extended_levels", (fields["levels"],) * len(fields["controls"]))
    return Size(benchmark=name, **fields)


LENET = partial(Column, batch=128, optimizer=ps.SGD(), lr=0.1, rewind=0)
"""Fully connected networks."""
OPENLTH = partial(Column, optimizer=ps.SGD(momentum=0.9, weight_decay=1e-4), rewind=10, early=10, smoke_scale=1 / 8)
ON_CIFAR = partial(OPENLTH, epochs=160, batch=128, lr=0.1, drops=(80, 120), fits=98.0)
"""Networks for 32x32 images, under OpenLTH's settings."""
ON_CIFAR10 = partial(
    ON_CIFAR, source=partial(ps.cifar10, normalization=IMAGENET), augmentation=(CropFlip(fill=IMAGENET.zero),)
)
ON_CIFAR100 = partial(ON_CIFAR, source=ps.cifar100, augmentation=(CropFlip(fill=CIFAR100.zero),))


def _resnet(depth: int, *, width: int = 16, classes: int = 10) -> ps.Network:
    return network("prunescope.tasks.nets:CifarResNet", depth=depth, width=width, classes=classes)


COLUMNS: Mapping[Name, Column] = {
    "digits": LENET(
        network("prunescope.tasks.nets:LeNet", inputs=64),
        ps.digits,
        epochs=60,
        batch=64,
        early=5,
        noises=(0.0, 0.4),
        levels=21,
        laptop={},
        smoke=1.0,
    ),
    "lenet": LENET(
        network("prunescope.tasks.nets:LeNet"),
        ps.mnist,
        epochs=40,
        early=2,
        excluded=("fc.weight",),
        noises=(0.0, 0.05, 0.1, 0.15),
        levels=24,
        # With label noise test error still falls at level 20, so pruning reaches level 24. Without noise extended
        # training, where a replay costs a whole dense training, ends where 4 % of the weights remain.
        laptop={"noises": (0.0, 0.05, 0.15), "controls": (0.0, 0.15), "extended_levels": (14, 24), "width_levels": 14},
        smoke=0.02,
    ),
    "resnet20": ON_CIFAR10(_resnet(20)),
    "vgg16": ON_CIFAR10(network("prunescope.tasks.nets:VGG", depth=16), excluded=("fc.weight",), levels=26, fits=99.9),
    "resnet32": ON_CIFAR100(_resnet(32, classes=100), fits=80.0),
    "resnet32-wide": ON_CIFAR100(_resnet(32, width=32, classes=100)),
    "resnet50": OPENLTH(
        network("prunescope.tasks.nets:ResNet50"),
        partial(image_folder, "imagenet"),
        epochs=90,
        batch=1024,
        lr=0.4,
        drops=(30, 60, 80),
        warmup=5,
        augmentation=(RandomResizedCrop(),),
        fits=70.0,
        noises=(0.0, 0.15),
        levels=10,
        ensemble=3,
        laptop={**PATH, "share": 0.001},
    ),
}
"""All benchmarks. "digits" is not the paper's: it ships with the package and runs in seconds.

Source: Jin et al. 2022, section 2, for networks, data and rewind epochs; the settings of OpenLTH, which it used, for
the rest. The epoch of EL2N, the threshold `fits`, the width of ResNet-32, noise levels where the paper names none,
numbers of levels and what is run at the smaller scales are proposed here.
"""
