"""bartoldson2020/section2: Is pruning the limit of noise that takes filters away for single batches?

Bernoulli noise: filters that are there in some batches only.
"""

from typing import Annotated

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.quantities import label
from prunescope.papers.bartoldson.scales import VGG11, Ascending, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "section 2"
PLACE = "Bartoldson et al. 2020, section 2, which says that pruning is p = 0 and runs nothing else"


class Settings(EventSize):
    """How much is run.

    keep: probabilities with which a unit is there, one arm each, ascending; 0, which is pruning, is always run.
    """

    keep: Ascending[Annotated[float, Field(gt=0, lt=1)]] = Field(default=(0.1, 0.5), min_length=1)


SCALES = scales_of(Settings, smoke={"keep": (0.5,)})


def _figures(size: Settings) -> Figures:
    made = [arms.noisy(size, f"Bernoulli {keep:g}", ps.BernoulliUnits, keep=keep) for keep in size.keep]
    runs = arms.compared(VGG11, size, arms.largest(size), *made)
    says, (none, pruned, *noisy) = Says(PLACE, "proposed"), runs.names
    what = f"Filters that are there in {100 * size.keep[0]:g} % of the batches generalize like pruned ones."
    alike = says("rarely-there-is-pruned", what, runs.gap(noisy[0], pruned), ps.Equivalence(0.3))
    what = f"Filters that are there in {100 * size.keep[-1]:g} % of the batches are more stable than pruned ones."
    stabler = says("rarer-is-less-stable", what, runs.gap(noisy[-1], pruned, "mean_stability"), MORE)

    panels, quantities = {"VGG11": runs}, ("best", "final", "mean_stability")
    yield figures.dynamics("section2", "Test accuracy under Bernoulli noise", panels)
    chances = zip((0.0, *size.keep, 1.0), (pruned, *noisy, none), strict=True)
    places = {"VGG11": {"largest filters": [(chance, runs, arm) for chance, arm in chances]}}
    titles = {q: f"{label(q)}, over the probability of being there" for q in runs.with_recalibrated(quantities)}
    claims, x_label = {"best": [alike], "mean_stability": [stabler]}, "probability that a targeted filter is there"
    x_label += " (0: pruned, 1: untouched)"
    yield from figures.each_curves("section2", titles, places, claims, x_label=x_label)
    yield figures.means("section2-means", "Means of every arm", panels, quantities)


build = builder(
    __doc__,
    _figures,
    "Stability is that of events at which filters are targeted. A look sees the draw of its batch: targeted filters "
    "are there or not by chance, and accuracy varies from look to look.",
)
