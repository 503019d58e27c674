"""jin2022: the whole paper on one benchmark, all figures and claims in one report."""

from types import ModuleType

from prunescope.papers.jin2022 import app_c, app_j, column, controls, influence
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, words
from prunescope.studies.study import Study, merged

__all__ = ["SCALES", "Settings", "build"]

PARTS: tuple[ModuleType, ...] = (*column.PARTS, app_c, app_j, controls)
"""The studies of one column of the paper, then other algorithms, ablations, and our controls."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs. Influence keeps its own size at the scale."""
    size = settings.size(scale)
    changes = {"benchmark": size.benchmark, "noise": max(size.controls), "replicates": size.replicates}
    measured = influence.SCALES[scale].replace(**changes)
    return merged(
        [*(part.build(settings, scale) for part in PARTS), influence.build(measured, scale)],
        name="jin2022",
        question="How does pruning affect generalization: by better training, by regularization, and can either be "
        "had alone?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
    )
