"""bartoldson2019: Does pruning generalize by the instability that it causes?

The whole paper, all figures and claims in one report.
"""

import prunescope as ps
from prunescope.papers.bartoldson import v2019_fig1, v2019_fig2, v2019_fig3, v2019_fig_a1, v2019_fig_a2, v2019_fig_a3
from prunescope.papers.bartoldson.paper import SCALES, Settings, joined

__all__ = ["SCALES", "Settings", "build"]

COST = {"smoke": "a minute or less", "laptop": "a day", "paper": "a year"}
FIGURE = "the whole paper"
PARTS = (v2019_fig1, v2019_fig2, v2019_fig3, v2019_fig_a1, v2019_fig_a2, v2019_fig_a3)
"""The studies of the paper in its order."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings; all parts share their runs. Raises UsageError for a part that is not there."""
    return joined(__doc__, PARTS, settings, scale)
