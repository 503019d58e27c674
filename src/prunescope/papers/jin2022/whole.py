"""jin2022: the whole paper on one benchmark, all figures and claims in one report."""

from types import ModuleType

from prunescope.papers.jin2022 import (
    app_b,
    app_c,
    app_d,
    app_e,
    app_i,
    app_j,
    app_k,
    app_l,
    controls,
    fig1,
    fig2,
    fig3,
    fig4,
    fig5,
    fig6,
    fig7,
    optimum,
)
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, words
from prunescope.studies.study import Study, merged

__all__ = ["SCALES", "Settings", "build"]

PARTS: tuple[ModuleType, ...] = (
    *(fig1, fig2, fig3, fig4, fig5, fig6, fig7),
    *(app_b, app_c, app_d, app_e, app_i, app_j, app_k, app_l),
    *(optimum, controls),
)
"""The studies of the paper in its order, then ours."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs."""
    size = settings.size(scale)
    return merged(
        [part.build(settings, scale) for part in PARTS],
        name="jin2022",
        question="How does pruning affect generalization: by better training, by regularization, and can either be "
        "had alone?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
    )
