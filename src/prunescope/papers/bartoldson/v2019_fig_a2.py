"""bartoldson2019/figA2: Do larger pruning events help when the same is pruned in all?

Larger events of pruning, the total fraction fixed.
"""

from pydantic import Field

from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import SHORT_FIXED, VGG11_SHORT, Ascending, Count, EventSize, scales_of
from prunescope.papers.bartoldson.v2019_sweeps import Sweep, Targets

COST = {"smoke": "a minute or less", "laptop": "3 hours", "paper": "months"}
FIGURE = "Figure A2"
PLACE = "Bartoldson et al. 2019, appendix A.3 and Figure A2"


class Settings(EventSize):
    """How much is run, and with which periods.

    periods: epochs of the full schedule between events.
    targets: by their subscripts.
    """

    periods: Ascending[Count] = Field(default=tuple(range(4, 41, 4)), min_length=2)
    targets: Targets = ("S", "R", "L")


SCALES = scales_of(Settings, smoke={"compress": 45.0, "periods": (4, 90)}, laptop={"periods": (4, 20, 40)})


def _figures(size: Settings) -> Figures:
    periods = {period: SHORT_FIXED.rate(size, period) for period in size.periods}
    ways = [(rate, SHORT_FIXED, period, f", every {period} epochs") for period, rate in periods.items()]
    rates, says = Sweep.of(VGG11_SHORT, size, size.targets, ways), Says(PLACE)
    what = "With the total fixed, the drop at the last event grows with the iterative rate."
    drop = says("last-drop-rises", what, rates.trend("last_drop"), MORE)
    what = "With the total fixed, accuracy grows with the iterative rate."
    best = says("accuracy-rises-fixed", what, rates.trend("best"), MORE)
    return rates.figures("last_drop", "figa2", FIGURE, {"last_drop": [drop], "best": [best]})


build = builder(
    __doc__,
    _figures,
    "Drops are those of the last event, against the epoch before it, as in the caption.",
    "Rates from 3 to 30 % are the schedule, no result; single values are in the paper's curves only.",
)
