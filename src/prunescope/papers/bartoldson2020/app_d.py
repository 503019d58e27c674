"""bartoldson2020/appD: zeroing all filters targeted so far, which then return to what they were."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import Arm, Comparison
from prunescope.papers.bartoldson.pruning import NONE, VGG11
from prunescope.papers.bartoldson.sizes import PAPER_2020, Ascending, Count, EventSize, words
from prunescope.papers.bartoldson.statements import compares, same
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import fig5, setting
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies.study import Study
from prunescope.training.interventions import ZeroUnits

PLACE = "Bartoldson et al. 2020, section 3.3 and appendix D (Figure D2)"


class Settings(EventSize):
    """How much is run, and for how many training batches filters stay at zero, ascending."""

    batches: Ascending[Count] = Field(default=(89, 630, 1220, 2480), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), batches=(1, 2)),
        "laptop": Settings(**setting.LAPTOP.model_dump(), batches=(9, 64, 125, 254)),
        "paper": Settings(),
    }
)
"""At laptop scale as long in epochs of 40 batches as the paper's in epochs of 391."""


def restoring(size: EventSize, batches: int) -> Arm:
    """All filters targeted so far, and their normalization, at 0 for so many batches, then back at their values."""
    zero = ZeroUnits(
        layers=VGG11.schedules(size, setting.FAST),
        score=FilterNorm(),
        batches=batches,
        which="all",
        reentry="saved",
        normalization_follows=True,
        allow_idle_events=True,
    )
    return fig5.noise_arm(size, f"Zeroing {batches}, restored", zero)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    plain = pruning.plain_arm(GROUPS["vgg11"], settings)
    pruned = pruning.filter_arm(GROUPS["vgg11"], VGG11, settings, subscript="L", period=setting.FAST)
    zeroed = [restoring(settings, count) for count in settings.batches]
    comparison = Comparison((plain, pruned, *zeroed), look=setting.look(settings))
    panels = {"VGG11": comparison}
    return Study(
        "bartoldson2020/appD",
        "Does zeroing help when filters return at the values that they had?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=(
            views.dynamics(panels, name="figd2", title="Figure D2: test accuracy, filters restored"),
            views.means(
                panels, ("best", "final", "mean_stability"), name="figd2-means", title="Means of every arm"
            ),
        ),
        claims=(
            compares(
                comparison,
                "restored-zeroing-helps",
                f"Zeroing for {settings.batches[-1]} batches with restored values beats no noise.",
                arm=zeroed[-1].name,
                over=NONE,
                place=PLACE,
            ),
            same(
                comparison,
                "restored-zeroing-is-pruning",
                f"Zeroing for {settings.batches[-1]} batches with restored values generalizes like pruning.",
                arm=zeroed[-1].name,
                over=pruned.name,
                margin=0.3,
                place=PLACE,
            ),
            same(
                comparison,
                "restored-zeroing-is-as-unstable",
                f"Zeroing for {settings.batches[-1]} batches with restored values is as unstable as pruning.",
                arm=zeroed[-1].name,
                over=pruned.name,
                margin=3.0,
                quantity="mean_stability",
                place=PLACE,
            ),
        ),
        notes=("Figure D1 is a drawing of the methods; numbers of Figure D2 are not in the text at hand.",),
    )
