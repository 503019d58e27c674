"""jin2022/column: On one benchmark, what do pruning, longer training, a smaller width and leaving examples out do?

One column of the paper's figures, without other algorithms, ablations and further controls.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

import prunescope as ps
from prunescope.papers.jin2022 import (
    PAPERS,
    app_b,
    app_d,
    app_e,
    app_i,
    app_k,
    app_l,
    app_m,
    fig1,
    fig2,
    fig3,
    fig4,
    fig5,
    fig6,
    fig7,
    optimum,
    section7,
)
from prunescope.papers.jin2022.scales import Size
from prunescope.papers.jin2022.settings import SCALES, About, Settings, words

__all__ = ["SCALES", "build"]

FIGURE = "all of jin2022 but other algorithms, ablations and further controls"
COST = {"smoke": "half a minute or less", "laptop": "3 hours", "paper": "9 hours"}

PARTS: tuple[ModuleType, ...] = (
    *(fig1, fig2, fig3, fig4, fig5, fig6, fig7, section7),
    *(app_b, app_d, app_e, app_i, app_k, app_l, app_m, optimum),
)
"""The studies that live on the same arms: pruning, extended training, width, EL2N, leave-out."""

ABOUT_NOISE: Mapping[ModuleType, About] = MappingProxyType(
    {fig4: "noises", fig5: "noises", app_e: "controls", app_i: "controls"}
)
"""Those of them that are left out where none of these levels has label noise."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings; all parts share their runs."""
    size = settings.size(scale)
    return ps.merged(
        [part.build(settings, scale) for part in within(size, PARTS)],
        *ps.titled(__doc__),
        settings=size,
        scale=words(size, scale),
        paper=PAPERS["jin2022"],
    )


def within(size: Size, parts: Sequence[ModuleType]) -> list[ModuleType]:
    """Those of some studies that have something to show at this size."""
    return [part for part in parts if part not in ABOUT_NOISE or max(getattr(size, ABOUT_NOISE[part])) > 0]
