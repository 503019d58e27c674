"""jin2022/column: one column of the paper's figures, without other algorithms, ablations and further controls."""

from types import ModuleType

from prunescope.papers.jin2022 import (
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
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, words
from prunescope.studies.study import Study, merged

__all__ = ["SCALES", "Settings", "build"]

PARTS: tuple[ModuleType, ...] = (
    *(fig1, fig2, fig3, fig4, fig5, fig6, fig7, section7),
    *(app_b, app_d, app_e, app_i, app_k, app_l, app_m, optimum),
)
"""The studies that live on the same arms: pruning, extended training, width, EL2N, leave-out."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs."""
    size = settings.size(scale)
    return merged(
        [part.build(settings, scale) for part in PARTS],
        name="jin2022/column",
        question="On one benchmark, what do pruning, longer training, a smaller width and leaving examples out do?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
    )
