"""jin2022: How does pruning affect generalization: by better training, by regularization, and can either be had alone?

The whole paper on one benchmark, all figures and claims in one report.
"""

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS, across, column, influence
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, words

FIGURE = "the whole paper on one benchmark (-s benchmark=NAME)"
COST = {"smoke": "half a minute or less", "laptop": "9.5 hours", "paper": "5 days"}

SMALL = ("lenet", "digits")
PARTS = (*column.PARTS, "app_c", "app_j", "controls")
"""The studies of one column of the paper, then other algorithms, ablations, and our controls."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings; all parts share their runs.

    Influence, which asks for hundreds of networks, is measured on LeNet or the digits only, at the most label noise,
    and keeps its own size at the scale.
    """
    size = settings.size(scale)
    studies = [part.build(settings, scale) for part in column.within(size, PARTS)]
    if max(size.noises) > 0:
        studies.append(across.counted([arms(size)], settings=size, scale=words(size, scale)))
    if size.benchmark in SMALL and max(size.controls) > 0:
        changes = {"benchmark": size.benchmark, "noise": max(size.controls), "replicates": size.replicates}
        studies.append(influence.build(influence.SCALES[scale].replace(**changes), scale))
    return ps.merged(studies, *ps.titled(__doc__), settings=size, scale=words(size, scale), paper=PAPERS["jin2022"])
