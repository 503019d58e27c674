"""bartoldson2020: Does pruning generalize by its instability, within which limits, and because minima become flatter?

The whole paper, all figures and claims in one report.
"""

from prunescope.papers.bartoldson import (
    v2020_app_b,
    v2020_app_c,
    v2020_app_d,
    v2020_app_e,
    v2020_app_f,
    v2020_fig2,
    v2020_fig3,
    v2020_fig4,
    v2020_fig5,
    v2020_fig6,
)
from prunescope.papers.bartoldson import v2020_section2 as section2
from prunescope.papers.bartoldson.paper import SCALES, Settings, joined

__all__ = ["SCALES", "Settings", "build"]

COST = {"smoke": "a minute or less", "laptop": "a day", "paper": "years"}
FIGURE = "the whole paper"
FIGURES = (section2, v2020_fig2, v2020_fig3, v2020_fig4, v2020_fig5, v2020_fig6)
APPENDICES = (v2020_app_b, v2020_app_c, v2020_app_d, v2020_app_e, v2020_app_f)
build = joined(__doc__, *FIGURES, *APPENDICES)
