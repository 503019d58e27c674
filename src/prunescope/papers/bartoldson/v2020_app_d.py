"""bartoldson2020/appD: Does zeroing help when filters return at the values that they had?

Zeroing all filters targeted so far, and their normalization, which then return to what they were.
"""

from collections.abc import Iterator

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.scales import VGG11, Ascending, Count, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "Appendix D"
PLACE = "Bartoldson et al. 2020, section 3.3 and appendix D (Figure D2)"


class Settings(EventSize):
    """How much is run, and for how many training batches filters stay at zero, ascending."""

    batches: Ascending[Count] = Field(default=(89, 630, 1220, 2480), min_length=1)


SCALES = scales_of(Settings, smoke={"batches": (1, 2)}, laptop={"batches": (9, 64, 125, 254)})
"""At laptop scale as long in epochs of 40 batches as the paper's in epochs of 391."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    saved = {"which": "all", "reentry": "saved", "normalization_follows": True}
    zeroed = [
        arms.noisy(settings, f"Zeroing {count}, restored", ps.ZeroUnits, batches=count, **saved)
        for count in settings.batches
    ]
    runs = arms.compared(settings, arms.plain(VGG11, settings), arms.largest(settings), *zeroed)
    panels, shown = {"VGG11": runs}, ("best", "final", "mean_stability")
    claims = _claims(runs, settings.batches[-1])
    return study(
        __doc__,
        settings,
        scale,
        (
            figures.dynamics("figd2", "Figure D2: test accuracy, filters restored", panels),
            figures.means("figd2-means", "Means of every arm", panels, shown, claims),
        ),
        "Figure D1 is a drawing of the methods; numbers of Figure D2 are not in the text at hand.",
    )


def _claims(runs: Comparison, batches: int) -> Iterator[ps.Claim]:
    """The longest zeroing does what pruning does."""
    says, (_, pruned, *_, longest) = Says(PLACE), runs.names
    zeroing, alike = f"Zeroing for {batches} batches with restored values", runs.gap(longest, pruned)
    yield says("restored-zeroing-helps", f"{zeroing} beats no noise.", runs.gap(longest, NONE), MORE)
    yield says("restored-zeroing-is-pruning", f"{zeroing} generalizes like pruning.", alike, ps.Equivalence(0.3))
    stability = runs.gap(longest, pruned, "mean_stability")
    what = f"{zeroing} is as unstable as pruning."
    yield says("restored-zeroing-is-as-unstable", what, stability, ps.Equivalence(3.0))
