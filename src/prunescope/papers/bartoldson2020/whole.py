"""bartoldson2020: the whole paper, all figures and claims in one report."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from prunescope.papers.bartoldson.sizes import PAPER_2020
from prunescope.papers.bartoldson.whole import SCALES, Settings, joined
from prunescope.papers.bartoldson2020 import (
    app_b,
    app_c,
    app_d,
    app_e,
    app_f,
    fig2,
    fig3,
    fig4,
    fig5,
    fig6,
    section2,
)
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

PARTS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "section2": section2,
        "fig2": fig2,
        "fig3": fig3,
        "fig4": fig4,
        "fig5": fig5,
        "fig6": fig6,
        "appB": app_b,
        "appC": app_c,
        "appD": app_d,
        "appE": app_e,
        "appF": app_f,
    }
)
"""The studies of the paper in its order."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs. Raises UsageError for a part that is not there."""
    return joined(
        PARTS,
        settings,
        scale,
        name="bartoldson2020",
        question="Does pruning generalize by its instability, within which limits, and because minima become flatter?",
        paper=PAPER_2020,
    )
