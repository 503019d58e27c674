"""bartoldson2019/figA1: how normal the normalized activations of a network are, before and after training."""

from collections.abc import Mapping
from types import MappingProxyType

from prunescope.papers.bartoldson import pruning
from prunescope.papers.bartoldson.normality import PARTS, degrades, histograms, normality, starts
from prunescope.papers.bartoldson.sizes import PAPER_2019, Size, words
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2019 import setting
from prunescope.studies.study import Study

Settings = Size
SCALES: Mapping[str, Size] = MappingProxyType(
    {scale: Size(**size.model_dump(include=set(Size.model_fields))) for scale, size in setting.SCALES.items()}
)
"""The networks of the other figures; nothing is looked at while they train."""


def build(settings: Size, scale: str) -> Study:
    """The study under these settings."""
    plain = pruning.plain_arm(GROUPS["vgg11"], settings)
    looks = {when: [normality(run, part) for run in plain.runs] for when, part in PARTS.items()}
    return Study(
        "bartoldson2019/figA1",
        "Are normalized activations normal, as scoring filters by their expected activation assumes?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=[look for some in looks.values() for look in some],
        figures=(
            histograms(looks, plain.runs, name="figa1", title="Figure A1: normalized activations by layer"),
        ),
        claims=(starts(looks), degrades(looks)),
        notes=("Of VGG11 trained here; the paper shows a VGG19, without numbers.",),
    )
