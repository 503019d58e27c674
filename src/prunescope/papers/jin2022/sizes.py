"""How much of a benchmark is run: levels, replicates, noise levels, epochs, at each scale.

Belongs here: sizes, and the settings that all studies of this paper share. Does not belong here: what a benchmark is
(`benchmarks.py`).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Benchmark, noise_name
from prunescope.papers.jin2022.benchmarks import COLUMNS, Name
from prunescope.papers.readings import EarlyScore

PAPER = (
    "Jin, Carbin, Roy, Frankle, Dziugaite: Pruning's Effect on Generalization Through the Lens of Training and "
    "Regularization, NeurIPS 2022"
)

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Noises = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(min_length=1)]
About = Literal["noises", "controls"]
Standard = Literal["standard"]
"""What the benchmark's own table says at the chosen scale."""


class Size(Value):
    """What is run of a benchmark.

    noises: shares of wrong training labels, ascending from 0. controls: those of them, 0 included, at which the
    controls are run: extended training, narrower networks, leave-out, other algorithms. levels, width_levels: steps
    of 20 %. extended_levels: replays of extended training, one number a control, never more than levels. epochs: of
    every level. share: of the training images. ensemble: networks behind an EL2N score. validation: training examples
    held out; with any, optima are selected on them instead of on the test set. groups: of examples, by EL2N.
    left_out: share of the examples in leave-out experiments. score: by which examples are put into groups.
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


class Settings(Value):
    """A benchmark, and where its size is to differ from the standard one at the chosen scale; see `Size`."""

    benchmark: Name = "lenet"
    noises: Noises | Standard = "standard"
    controls: Noises | Standard = "standard"
    replicates: Count | Standard = "standard"
    levels: Count | Standard = "standard"
    extended_levels: Counts | Standard = "standard"
    width_levels: Count | Standard = "standard"
    epochs: Count | Standard = "standard"
    share: Share | Standard = "standard"
    ensemble: Count | Standard = "standard"
    validation: Annotated[int, Field(ge=0)] = 0
    groups: Annotated[int, Field(ge=5)] = 20
    left_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    score: EarlyScore = "el2n"

    def size(self, scale: str) -> Size:
        """The size at a scale, with what these settings change; what was not set follows what was.

        Other noise levels are all controls, and extended training never goes beyond the levels.

        Raises UsageError for settings that contradict each other.
        """
        every = {name: getattr(self, name) for name in type(self).model_fields}
        changes = {name: value for name, value in every.items() if value != "standard"}
        standard = _size(self.benchmark, scale)
        levels, noises = changes.get("levels", standard.levels), changes.get("noises")
        controls = changes.setdefault("controls", noises or standard.controls)
        deepest = dict(zip(standard.controls, standard.extended_levels, strict=True))
        changes.setdefault("extended_levels", tuple(min(deepest.get(n, levels), levels) for n in controls))
        return _checked(standard.replace(**changes))


SCALES: Mapping[str, Settings] = MappingProxyType(
    {"smoke": Settings(benchmark="digits", groups=5), "laptop": Settings(), "paper": Settings()}
)
"""The scales of every study of this paper; smoke runs on the digits that ship with the package."""


def arms(size: Size) -> Benchmark:
    """The runs that all figures of a benchmark share.

    Raises DataError if its data set is not there.
    """
    column = COLUMNS[size.benchmark]
    base = column.recipe(epochs=size.epochs, share=size.share, validation=size.validation)
    return Benchmark(
        name=size.benchmark,
        base=base,
        noises=size.noises,
        replicates=size.replicates,
        levels=size.levels,
        extended_levels=dict(zip(size.controls, size.extended_levels, strict=True)),
        width_levels=dict.fromkeys(size.controls, size.width_levels),
        rewind=column.at(column.rewind, size.epochs),
        prune=column.prune,
        fits=column.fits,
    )


FITTED = ("digits", "lenet")
"""Benchmarks that were run at laptop scale and fitted their training sets there."""


def words(size: Size, scale: str) -> str:
    """The size in one line for people, with a warning where nothing says that its networks are trained enough."""
    unknown = scale == "laptop" and size.benchmark not in FITTED
    return (
        f"{scale}: {size.benchmark}, {size.replicates} replicates, {size.levels} levels of {size.epochs} epochs on "
        f"{100 * size.share:g} % of the training images"
        + (
            "; it shows the path: whether networks fit so small a training set so quickly was never tried"
            * unknown
        )
    )


def notes(size: Size) -> tuple[str, ...]:
    """What of a size is proposed here, for the reader of a report."""
    tolerances = (
        "Numbers of levels, margins, tolerances and thresholds of fit are proposed here; where a claim is not the "
        "paper's for this benchmark and noise level, its basis says so."
    )
    levels = {
        "lenet": "Of LeNet's three noise levels the paper's text names 5 % only; the others here are proposed.",
        "resnet20": CIFAR_NOISES,
        "resnet32": CIFAR_NOISES,
        "resnet32-wide": CIFAR_NOISES,
        "resnet50": "The noise level of ResNet-50 is proposed here; the paper's text does not name it.",
    }
    said = [levels[size.benchmark]] if size.benchmark in levels else []
    if short := [
        f"to level {least} at {noise_name(noise)}"
        for noise, least in zip(size.controls, size.extended_levels, strict=True)
        if least < size.levels
    ]:
        said.append(
            f"Extended training is run {' and '.join(short)}, pruning to level {size.levels}: fewer chances to be best."
        )
    if size.controls != size.noises:
        said.append(f"Controls are run at {' and '.join(map(noise_name, size.controls))} only.")
    return (*said, tolerances)


CIFAR_NOISES = (
    "Of this network's noise levels the paper's text names 60 % only; 15 and 30 % are those of VGG-16."
)


def from_zero(name: str, noises: Sequence[float]) -> None:
    """Raises UsageError unless these noise levels, settings called `name`, ascend from 0."""
    if not noises or noises[0] != 0 or list(noises) != sorted(set(noises)):
        raise UsageError(f"{name}={list(noises)} do not ascend from 0; write 0 first and each value once")


def with_noise(size: Size, *, of: About = "noises") -> Size:
    """The same size, for a study about label noise. Raises UsageError if there is none at the levels `of`."""
    levels = getattr(size, of)
    if max(levels) == 0:
        raise UsageError(
            f"{of}={list(levels)} have no label noise, which this study is about; add a level above 0"
        )
    return size


def _checked(size: Size) -> Size:
    """The same size, if noise levels, controls and levels of extended training fit together."""
    from_zero("noises", size.noises)
    from_zero("controls", size.controls)
    if strange := sorted(set(size.controls) - set(size.noises)):
        raise UsageError(f"controls={list(size.controls)} names {strange}, which noises lack; add them there")
    if len(size.extended_levels) != len(size.controls) or max(size.extended_levels) > size.levels:
        raise UsageError(
            f"extended_levels={list(size.extended_levels)} must be one number, at most levels={size.levels}, for each "
            f"of controls={list(size.controls)}"
        )
    return size


def _size(name: Name, scale: str) -> Size:
    """The standard size of a benchmark. Its noise levels and numbers of levels are proposed where not the paper's."""
    noises = {
        "digits": (0.0, 0.4),
        "lenet": (0.0, 0.05, 0.1, 0.15),
        "resnet50": (0.0, 0.15),
    }.get(name, (0.0, 0.15, 0.3, 0.6))
    epochs = COLUMNS[name].epochs
    if scale == "smoke":
        return _smoke(name, (noises[0], noises[-1]))
    levels = {"digits": 21, "lenet": 24, "vgg16": 26, "resnet50": 10}.get(name, 20)
    whole = Size(
        benchmark=name,
        noises=noises,
        controls=noises,
        levels=levels,
        extended_levels=(levels,) * len(noises),
        width_levels=levels,
        epochs=epochs,
    )
    if name == "resnet50":
        whole = whole.replace(ensemble=3)
    return _laptop(whole) if scale == "laptop" else whole


def _laptop(whole: Size) -> Size:
    """Fewer levels, noise levels and images, never fewer epochs: noisy labels are memorized late.

    On a share of the images an epoch has fewer steps, so that only LeNet, which keeps all of them, is known to fit its
    training set; claims about the others are expected to be unjudgeable, ResNet-50's with its 180 steps all of them.

    LeNet: with label noise test error still falls at level 20, so pruning reaches the paper scale's level 24.
    Without noise extended training, where a replay costs a whole dense training, ends where 4 % of the weights remain.
    """
    if whole.benchmark == "digits":
        return whole
    if whole.benchmark == "lenet":
        return whole.replace(
            noises=(0.0, 0.05, 0.15),
            controls=(0.0, 0.15),
            extended_levels=(14, 24),
            width_levels=14,
        )
    share = 0.001 if whole.benchmark == "resnet50" else 0.02
    noises = (0.0, whole.noises[-1])
    return whole.replace(
        noises=noises,
        controls=noises,
        replicates=2,
        levels=4,
        extended_levels=(4, 4),
        width_levels=2,
        share=share,
        ensemble=2,
    )


def _smoke(name: Name, noises: tuple[float, ...]) -> Size:
    """Seconds where nothing is learned: it only shows that the path works."""
    share = {"digits": 1.0, "lenet": 0.02}.get(name, 0.01)
    return Size(
        benchmark=name,
        noises=noises,
        controls=noises,
        replicates=2,
        levels=2,
        extended_levels=(2,) * len(noises),
        width_levels=1,
        epochs=2,
        share=share,
        ensemble=2,
    )
