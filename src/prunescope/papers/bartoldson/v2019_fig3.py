"""bartoldson2019/fig3: Do larger pruning events disrupt more and generalize better?

Larger events of pruning, their number fixed.
"""

from typing import Annotated

from pydantic import Field, field_validator

import prunescope as ps
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import FAST, SHORT, VGG11_SHORT, Ascending, EventSize, scales_of
from prunescope.papers.bartoldson.v2019_sweeps import Sweep, Targets

COST = {"smoke": "a minute or less", "laptop": "3 hours", "paper": "months"}
FIGURE = "Figure 3"
PLACE = "Bartoldson et al. 2019, section 3.2 and Figure 3"


class Settings(EventSize):
    """How much is run, and at which rates.

    rates: percent of the last convolution an event; of the others half of it. The paper's x axis ends at 30; the rates
        between are proposed here.
    targets: by their subscripts; S and L are needed.
    """

    rates: Ascending[Annotated[float, Field(gt=0, le=30)]] = Field(
        default=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0), min_length=2
    )
    targets: Targets = ("S", "R", "L")

    @field_validator("targets")
    @classmethod
    def _compared(cls, targets: Targets) -> Targets:
        if missing := {"S", "L"} - set(targets):
            raise ValueError(f"targets={list(targets)} lacks {sorted(missing)}, which the claims compare; add it")
        return targets


SCALES = scales_of(Settings, smoke={"compress": 45.0, "rates": (10.0, 20.0)}, laptop={"rates": (5.0, 15.0, 30.0)})


def _figures(size: Settings) -> Figures:
    shares = {rate: (rate / 2, rate / 2, rate / 2, rate) for rate in size.rates}
    ways = [(rate, SHORT.at_rate(size, FAST, each), FAST, "") for rate, each in shares.items()]
    rates = Sweep.of(VGG11_SHORT, size, size.targets, ways)
    claims = {"mean_drop": _drops(rates, size.targets), "best": _accuracy(rates, size.targets)}
    return rates.figures("mean_drop", "fig3", FIGURE, claims)


def _drops(rates: Sweep, targets: Targets) -> Claims:
    """Drops grow, and which target disrupts more depends on the score."""
    says, x = Says(PLACE), "mean_drop"
    yield says("drop-rises", "Drops grow with the iterative rate.", rates.trend(x), MORE)
    what = "Scored by E[BN], pruning the largest disrupts more than pruning"
    yield says("large-is-less-stable-ebn", f"{what} the smallest.", rates.gap(x, "E[BN]", "LS"), MORE)
    if "R" in targets:
        gap = rates.gap(x, "E[BN]", "LR")
        yield says("large-is-less-stable-than-random-ebn", f"{what} at random.", gap, MORE)
    what = "Scored by l2 norms, pruning the smallest disrupts more than pruning the largest."
    yield says("small-is-less-stable-l2", what, rates.gap(x, "l2", "LS"), LESS)


def _accuracy(rates: Sweep, targets: Targets) -> Claims:
    """Accuracy grows; with E[BN] by the target that disrupts more, with norms by any."""
    says, y, pairs = Says(PLACE), "best", ["LS"]
    yield says("accuracy-rises", "Accuracy grows with the iterative rate.", rates.trend(y), MORE)
    what = "Scored by E[BN], pruning the largest generalizes better than pruning"
    yield says("large-is-better-ebn", f"{what} the smallest.", rates.gap(y, "E[BN]", "LS"), MORE)
    if "R" in targets:
        pairs, gap = ["LS", "LR", "RS"], rates.gap(y, "E[BN]", "LR")
        yield says("large-is-better-than-random-ebn", f"{what} at random.", gap, MORE)
    for first, second in map(tuple, pairs):
        name = f"target-hardly-matters-l2-{first.lower()}-{second.lower()}"
        what = f"Scored by l2 norms, Prune_{first} and Prune_{second} differ little in accuracy."
        yield says(name, what, rates.gap(y, "l2", first + second), ps.Equivalence(0.3))


build = builder(__doc__, _figures, "Single values are in the paper's curves only: directions are claimed.")
