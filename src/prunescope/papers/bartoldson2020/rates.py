"""The sweep of iterative rates of the 2020 paper: VGG11 under three targets at every rate.

Belongs here: the arms, and the runs of one rate, for Figures 3, C1 and C2. Does not belong here: figures, claims.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from pydantic import Field

from prunescope.papers.bartoldson import pruning
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.pruning import TARGETS, VGG11
from prunescope.papers.bartoldson.sizes import Ascending, Count, EventSize
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import setting
from prunescope.studies.correlation import Points
from prunescope.studies.results import Results


class Settings(EventSize):
    """How much is run, and with which periods: epochs of the full schedule between events, ascending."""

    periods: Ascending[Count] = Field(default=(4, 20, 40, 60, 100, 200, 300), min_length=2)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), periods=(4, 300)),
        "laptop": Settings(**setting.LAPTOP.model_dump(), periods=(4, 40, 100, 300)),
        "paper": Settings(),
    }
)


def titles(settings: Settings) -> dict[int, str]:
    """What each period is called: by its iterative rate."""
    return {period: f"{VGG11.rate(settings, period):.0f} %" for period in settings.periods}


def sweep(settings: Settings) -> Comparison:
    """Three targets at every period, and no pruning."""
    group = GROUPS["vgg11"]
    arms = [pruning.plain_arm(group, settings)]
    for period in settings.periods:
        for letter in TARGETS:
            arms.append(pruning.filter_arm(group, VGG11, settings, subscript=letter, period=period))
    return Comparison(tuple(arms), look=setting.look(settings))


def name_of(settings: Settings, letter: str, period: int) -> str:
    """The name of an arm of the sweep."""
    return pruning.title(letter, VGG11, settings, period)


def of_rate(settings: Settings, period: int) -> tuple[str, ...]:
    """The arms of one rate."""
    return tuple(name_of(settings, letter, period) for letter in TARGETS)


def panels(comparison: Comparison, settings: Settings) -> dict[str, Comparison]:
    """The three targets of each rate, by what the rate is called."""
    return {
        rate: replace(comparison, arms=tuple(comparison.by_name[name] for name in of_rate(settings, period)))
        for period, rate in titles(settings).items()
    }


def points(
    comparison: Comparison, results: Results, settings: Settings, period: int, accuracy: str = "best"
) -> Points:
    """Mean stability and an accuracy of every run of the three targets at one rate."""
    return comparison.points(results, "mean_stability", accuracy, arms=of_rate(settings, period))
