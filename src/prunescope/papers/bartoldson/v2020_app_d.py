"""bartoldson2020/appD: Does zeroing help when filters return at the values that they had?

Zeroing all filters targeted so far, and their normalization, which then return to what they were.
"""

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import ZEROED, Figures, builder
from prunescope.papers.bartoldson.scales import VGG11, Ascending, Count, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "Appendix D"
PLACE = "Bartoldson et al. 2020, section 3.3 and appendix D (Figure D2)"
SAVED = {"which": "all", "reentry": "saved", "normalization_follows": True}


class Settings(EventSize):
    """How much is run, and for how long filters stay at zero.

    batches: training batches for which they do, one arm each, ascending.
    """

    batches: Ascending[Count] = Field(default=(89, 630, 1220, 2480), min_length=1)


SCALES = scales_of(Settings, smoke={"batches": (1, 2)}, laptop={"batches": (9, 64, 125, 254)})
"""At laptop scale as long in epochs of 40 batches as the paper's in epochs of 391."""


def _figures(size: Settings) -> Figures:
    zeroed = [arms.noisy(size, f"Zeroing {n}, restored", ps.ZeroUnits, batches=n, **SAVED) for n in size.batches]
    runs = arms.compared(VGG11, size, arms.reference(size), *zeroed)
    yield figures.dynamics("figd2", "Figure D2: test accuracy, filters restored", {"VGG11": runs})
    says, (none, pruned, *_, longest) = Says(PLACE), runs.names
    zeroing = f"Zeroing for {size.batches[-1]} batches with restored values"
    better, alike = runs.gap(longest, none), runs.gap(longest, pruned)
    unstable, as_unstable = runs.gap(longest, pruned, "mean_stability"), f"{zeroing} is as unstable as pruning."
    claims = (
        says("restored-zeroing-helps", f"{zeroing} beats no noise.", better, MORE),
        says("restored-zeroing-is-pruning", f"{zeroing} generalizes like pruning.", alike, ps.Equivalence(0.3)),
        says("restored-zeroing-is-as-unstable", as_unstable, unstable, ps.Equivalence(3.0)),
    )
    shown = ("best", "final", "mean_stability")
    yield figures.means("figd2-means", "Means of every arm", {"VGG11": runs}, shown, claims)


build = builder(
    __doc__,
    _figures,
    ZEROED,
    "Figure D1 is a drawing of the methods; numbers of Figure D2 are not in the text at hand.",
)
