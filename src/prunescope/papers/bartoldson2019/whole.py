"""bartoldson2019: the whole paper, all figures and claims in one report."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from prunescope.papers.bartoldson.sizes import PAPER_2019
from prunescope.papers.bartoldson.whole import SCALES, Settings, joined
from prunescope.papers.bartoldson2019 import fig1, fig2, fig3, fig_a1, fig_a2, fig_a3
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

PARTS: Mapping[str, ModuleType] = MappingProxyType(
    {"fig1": fig1, "fig2": fig2, "fig3": fig3, "figA1": fig_a1, "figA2": fig_a2, "figA3": fig_a3}
)
"""The studies of the paper in its order."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs. Raises UsageError for a part that is not there."""
    return joined(
        PARTS,
        settings,
        scale,
        name="bartoldson2019",
        question="Does pruning generalize by the instability that it causes?",
        paper=PAPER_2019,
    )
