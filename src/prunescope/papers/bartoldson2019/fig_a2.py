"""bartoldson2019/figA2: larger events of pruning, the total fraction fixed."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from prunescope.papers.bartoldson.pruning import SHORT_FIXED
from prunescope.papers.bartoldson.sizes import PAPER_2019, Ascending, Count, EventSize, words
from prunescope.papers.bartoldson2019 import setting, sweeps
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2019, appendix A.3 and Figure A2"


class Settings(EventSize):
    """How much is run, and with which periods: epochs of the full schedule between events.

    targets: by their subscripts.
    """

    periods: Ascending[Count] = Field(default=tuple(range(4, 41, 4)), min_length=2)
    targets: sweeps.Targets = ("S", "R", "L")


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SCALES["smoke"].model_dump() | {"compress": 45.0}, periods=(4, 90)),
        "laptop": Settings(**setting.SCALES["laptop"].model_dump(), periods=(4, 20, 40)),
        "paper": Settings(),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    made = []
    for score in sweeps.SCORES:
        for letter in settings.targets:
            for period in settings.periods:
                one = setting.scored_arm(
                    settings,
                    score,
                    letter,
                    layers=SHORT_FIXED,
                    period=period,
                    group="vgg11-short",
                    suffix=f", every {period} epochs",
                )
                made.append((score, letter, SHORT_FIXED.rate(settings, period), one))
    sweep = sweeps.sweep(settings, made)
    return Study(
        "bartoldson2019/figA2",
        "Do larger pruning events help when the same is pruned in all?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=sweep.comparison.nodes,
        figures=sweep.figures("last_drop", tag="figa2", heading="Figure A2"),
        claims=(
            sweep.rises(
                "last_drop",
                name="last-drop-rises",
                says="With the total fixed, the drop at the last event grows with the iterative rate.",
                place=PLACE,
            ),
            sweep.rises(
                "best",
                name="accuracy-rises-fixed",
                says="With the total fixed, accuracy grows with the iterative rate.",
                place=PLACE,
            ),
        ),
        notes=(
            "Drops are those of the last event, against the epoch before it, as in the caption.",
            "Rates from 3 to 30 % are the schedule, no result; single values are in the paper's curves only.",
        ),
    )
