"""What all studies of Jin et al. 2022 have in common: settings, the arms under them, and what a report says of both."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.scales import (
    Count,
    Counts,
    Name,
    Noises,
    Share,
    Size,
    Standard,
    Training,
    column_of,
    standard,
)
from prunescope.papers.readings import EarlyScore, noise_name

About = Literal["noises", "controls"]


class Settings(Training):  # noqa: D101 (made of that of Size)
    __doc__ = (Size.__doc__ or "").replace(
        "What is run of a benchmark.",
        """A benchmark, and where its size is to differ from the standard one at the chosen scale.

    benchmark: network, data and training; "standard" elsewhere stands for what it has at the scale.""",
    )

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
        every = {name: getattr(self, name) for name in Settings.model_fields}
        changes = {name: value for name, value in every.items() if value != "standard"}
        usual = standard(self.benchmark, scale)
        changes["network_scale"] = self.network_scale * usual.network_scale
        levels, noises = changes.get("levels", usual.levels), changes.get("noises")
        controls = changes.setdefault("controls", noises or usual.controls)
        deepest = dict(zip(usual.controls, usual.extended_levels, strict=True))
        changes.setdefault("extended_levels", tuple(min(deepest.get(n, levels), levels) for n in controls))
        return _checked(usual.replace(**changes))


SCALES: Mapping[str, Settings] = {
    "smoke": Settings(benchmark="digits", groups=5),
    "laptop": Settings(),
    "paper": Settings(),
}
"""The scales of every study of this paper; smoke runs on the digits that ship with the package."""


def arms(size: Size) -> Benchmark:
    """The runs that all figures of a benchmark share.

    Raises DataError if its data set is not there.
    """
    column = column_of(size.benchmark, size, size.epochs)
    return Benchmark(
        name=size.benchmark,
        base=column.recipe(epochs=size.epochs, share=size.share, validation=size.validation),
        noises=size.noises,
        replicates=size.replicates,
        levels=size.levels,
        extended_levels=dict(zip(size.controls, size.extended_levels, strict=True)),
        width_levels=dict.fromkeys(size.controls, size.width_levels),
        rewind=column.at(column.rewind, size.epochs),
        prune=column.prune,
        fits=column.fits,
    )


def at(settings: Settings, scale: str, *, about: About | None = None) -> tuple[Size, Benchmark]:
    """The size at a scale and its arms. about: which levels must have label noise, for a study about it.

    Raises UsageError if they have none, DataError if the data set is not there.
    """
    size = settings.size(scale)
    if about and max(levels := getattr(size, about)) == 0:
        raise ps.UsageError(
            f"{about}={list(levels)} have no label noise, which this study is about; add a level above 0"
        )
    return size, arms(size)


def study(
    doc: str | None,
    size: Size,
    scale: str,
    *figures: ps.Figure,
    cautions: Sequence[ps.Precondition] = (),
    claims: Sequence[ps.Claim] = (),
    more: Sequence[str] = (),
) -> ps.Study:
    """A study of this paper, titled by its module's docstring; more: notes beside those that all studies have."""
    return ps.Study(
        *ps.titled(doc),
        settings=size,
        scale=words(size, scale),
        notes=(*notes(size), *more),
        paper=PAPERS["jin2022"],
        rule=ps.OneStandardDeviation(),
        figures=figures,
        cautions=tuple(cautions),
        claims=tuple(claims),
    )


FITTED = ("digits", "lenet")
"""Benchmarks that were run at laptop scale and fitted their training sets there."""


def words(size: Size, scale: str) -> str:
    """The size in one line for people, with a warning where nothing says that its networks are trained enough."""
    unknown = scale == "laptop" and size.benchmark not in FITTED and not size.changes
    text = (
        f"{scale}: {size.benchmark}, {size.replicates} replicates, {size.levels} levels of {size.epochs} epochs on "
        f"{100 * size.share:g} % of the training images"
    ) + size.changes_in_words
    path = "; it shows the path: whether networks fit so small a training set so quickly was never tried"
    return text + path if unknown else text


CIFAR_NOISES = "Of this network's noise levels the paper's text names 60 % only; 15 and 30 % are those of VGG-16."
NOISE_NOTES: Mapping[Name, str] = {
    "lenet": "Of LeNet's three noise levels the paper's text names 5 % only; the others here are proposed.",
    "resnet20": CIFAR_NOISES,
    "resnet32": CIFAR_NOISES,
    "resnet32-wide": CIFAR_NOISES,
    "resnet50": "The noise level of ResNet-50 is proposed here; the paper's text does not name it.",
}


OPTIMUM_NOTE = (
    "The optimum of each arm is the level of least mean test error over replicates, selected on the test set itself, "
    "where the paper says 'best validation error'; an arm with more levels has more chances."
)
"""Where no examples are held out."""


def notes(size: Size) -> tuple[str, ...]:
    """What of a size is proposed here, for the reader of a report."""
    text = [NOISE_NOTES[size.benchmark]] if size.benchmark in NOISE_NOTES else []
    if short := [
        f"to level {least} at {noise_name(noise)}"
        for noise, least in zip(size.controls, size.extended_levels, strict=True)
        if least < size.levels
    ]:
        text.append(
            f"Extended training is run {' and '.join(short)}, pruning to level {size.levels}: fewer chances to be best."
        )
    if size.controls != size.noises:
        text.append(f"Controls are run at {' and '.join(map(noise_name, size.controls))} only.")
    return (
        *text,
        "Numbers of levels, margins, tolerances and thresholds of fit are proposed here; where a claim is not the "
        "paper's for this benchmark and noise level, its basis says so.",
    )


def from_zero(name: str, noises: Sequence[float]) -> None:
    """Raises UsageError unless these noise levels, settings called `name`, ascend from 0."""
    if not noises or noises[0] != 0 or list(noises) != sorted(set(noises)):
        raise ps.UsageError(f"{name}={list(noises)} do not ascend from 0; write 0 first and each value once")


def _checked(size: Size) -> Size:
    """The same size, if noise levels, controls and levels of extended training fit together."""
    from_zero("noises", size.noises)
    from_zero("controls", size.controls)
    if strange := sorted(set(size.controls) - set(size.noises)):
        raise ps.UsageError(f"controls={list(size.controls)} names {strange}, which noises lack; add them there")
    if len(size.extended_levels) != len(size.controls) or max(size.extended_levels) > size.levels:
        raise ps.UsageError(
            f"extended_levels={list(size.extended_levels)} must be one number, at most levels={size.levels}, for each "
            f"of controls={list(size.controls)}"
        )
    return size
