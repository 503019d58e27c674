"""bartoldson2020/section2: Is pruning the limit of noise that takes filters away for single batches?

Bernoulli noise: filters that are there in some batches only.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import study
from prunescope.papers.bartoldson.quantities import label
from prunescope.papers.bartoldson.scales import VGG11, Ascending, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "1.5 hours", "paper": "months"}
FIGURE = "section 2"
PLACE = "Bartoldson et al. 2020, section 2, which says that pruning is p = 0 and runs nothing else"


class Settings(EventSize):
    """How much is run, and with which probabilities of being there, ascending; 0 is pruning and is always run."""

    keep: Ascending[Annotated[float, Field(gt=0, lt=1)]] = Field(default=(0.1, 0.5), min_length=1)


SCALES = scales_of(Settings, smoke={"keep": (0.5,)})


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    return study(
        __doc__,
        settings,
        scale,
        _figures(settings),
        "Stability is that of events at which filters are targeted. A look sees the draw of its batch: targeted "
        "filters are there or not by chance, and accuracy varies from look to look.",
    )


def _figures(size: Settings) -> Iterator[ps.Figure]:
    pruned = arms.largest(size)
    made = [arms.noisy(size, f"Bernoulli {keep:g}", ps.BernoulliUnits, keep=keep) for keep in size.keep]
    runs = arms.compared(size, arms.plain(VGG11, size), pruned, *made)

    says, least, most = Says(PLACE, "proposed"), size.keep[0], size.keep[-1]
    alike, stabler = (runs.gap(made[0].name, pruned.name), runs.gap(made[-1].name, pruned.name, "mean_stability"))
    what = f"Filters that are there in {100 * least:g} % of the batches generalize like pruned ones."
    claims = {"best": says("rarely-there-is-pruned", what, alike, ps.Equivalence(0.3))}
    what = f"Filters that are there in {100 * most:g} % of the batches are more stable than pruned ones."
    claims["mean_stability"] = says("rarer-is-less-stable", what, stabler, MORE)

    panels, quantities = {"VGG11": runs}, ("best", "final", "mean_stability")
    yield figures.dynamics("section2", "Test accuracy under Bernoulli noise", panels)
    chances = zip((0.0, *size.keep, 1.0), (*runs.names[1:], NONE), strict=True)
    places = {"VGG11": {"largest filters": [(chance, runs, arm) for chance, arm in chances]}}
    for quantity in runs.with_recalibrated(quantities):
        yield figures.curves(
            f"section2-{quantity.replace('_', '-')}",
            f"{label(quantity)}, over the probability of being there",
            places,
            quantity,
            x_label="probability that a targeted filter is there (0: pruned, 1: untouched)",
            claims=[claims[quantity]] if quantity in claims else [],
        )
    yield figures.means("section2-means", "Means of every arm", panels, quantities)
