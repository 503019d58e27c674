"""bartoldson2019: Does pruning generalize by the instability that it causes?

The whole paper, all figures and claims in one report.
"""

from prunescope.papers.bartoldson import v2019_fig1, v2019_fig2, v2019_fig3, v2019_fig_a1, v2019_fig_a2, v2019_fig_a3
from prunescope.papers.bartoldson.paper import SCALES, Settings, joined

__all__ = ["SCALES", "Settings", "build"]

COST = {"smoke": "a minute or less", "laptop": "a day", "paper": "a year"}
FIGURE = "the whole paper"
build = joined(__doc__, v2019_fig1, v2019_fig2, v2019_fig3, v2019_fig_a1, v2019_fig_a2, v2019_fig_a3)
