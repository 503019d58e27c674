"""bartoldson2020/appD: Does zeroing help when filters return at the values that they had?

Zeroing all filters targeted so far, which then return to what they were.
"""

from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L2, NONE
from prunescope.papers.bartoldson.claims import Says
from prunescope.papers.bartoldson.quantities import Comparison
from prunescope.papers.bartoldson.scales import (
    FAST,
    VGG11,
    VGG11_LAYERS,
    Ascending,
    Count,
    EventSize,
    scales_of,
    words,
)
from prunescope.studies.study import Study, titled
from prunescope.training.interventions import ZeroUnits

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1.5 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Appendix D"
PLACE = "Bartoldson et al. 2020, section 3.3 and appendix D (Figure D2)"


class Settings(EventSize):
    """How much is run, and for how many training batches filters stay at zero, ascending."""

    batches: Ascending[Count] = Field(default=(89, 630, 1220, 2480), min_length=1)


SCALES = scales_of(Settings, smoke={"batches": (1, 2)}, laptop={"batches": (9, 64, 125, 254)})
"""At laptop scale as long in epochs of 40 batches as the paper's in epochs of 391."""


def comparison(size: Settings) -> Comparison:
    """No pruning, pruning, and all filters targeted so far at 0, with their normalization, for so many batches."""
    zeroed = [
        ZeroUnits(
            layers=VGG11_LAYERS.schedules(size, FAST),
            score=L2,
            batches=count,
            which="all",
            reentry="saved",
            normalization_follows=True,
            allow_idle_events=True,
        )
        for count in size.batches
    ]
    made = [arms.noisy(size, f"Zeroing {zero.batches}, restored", zero) for zero in zeroed]
    pruned = arms.pruned(VGG11, VGG11_LAYERS, size, "L", period=FAST)
    return Comparison((arms.plain(VGG11, size), pruned, *made), observables=arms.observables(size))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    panels, says = {"VGG11": one}, Says(one, place=PLACE)
    pruned, *_, longest = one.pruned
    zeroing = f"Zeroing for {settings.batches[-1]} batches with restored values"
    claims = (
        says.gap("restored-zeroing-helps", f"{zeroing} beats no noise.", longest, NONE),
        says.same(
            "restored-zeroing-is-pruning",
            f"{zeroing} generalizes like pruning.",
            longest,
            pruned,
            margin=0.3,
        ),
        says.same(
            "restored-zeroing-is-as-unstable",
            f"{zeroing} is as unstable as pruning.",
            longest,
            pruned,
            "mean_stability",
            margin=3.0,
        ),
    )
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.dynamics(panels, name="figd2", title="Figure D2: test accuracy, filters restored"),
            figures.means(
                panels,
                ("best", "final", "mean_stability"),
                name="figd2-means",
                title="Means of every arm",
                claims=claims,
            ),
        ),
        notes=("Figure D1 is a drawing of the methods; numbers of Figure D2 are not in the text at hand.",),
    )
