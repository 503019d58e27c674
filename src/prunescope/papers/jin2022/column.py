"""jin2022/column: On one benchmark, what do pruning, longer training, a smaller width and leaving examples out do?

One column of the paper's figures, without other algorithms, ablations and further controls.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS
from prunescope.papers.jin2022.scales import Size
from prunescope.papers.jin2022.settings import SCALES, About, Settings, words

FIGURE = "all of jin2022 but other algorithms, ablations and further controls"
COST = {"smoke": "half a minute or less", "laptop": "3 hours", "paper": "9 hours"}

PARTS = (*(f"fig{number}" for number in range(1, 8)), "section7", *(f"app_{part}" for part in "bdeiklm"), "optimum")
"""The files of the studies that live on the same arms: pruning, extended training, width, EL2N, leave-out."""
ABOUT_NOISE: Mapping[str, About] = {"fig4": "noises", "fig5": "noises", "app_e": "controls", "app_i": "controls"}
"""Those of them that are left out where none of these levels has label noise."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings; all parts share their runs."""
    size = settings.size(scale)
    studies = [part.build(settings, scale) for part in within(size, PARTS)]
    paper = PAPERS["jin2022"]
    return ps.merged(studies, *ps.titled(__doc__), settings=size, scale=words(size, scale), paper=paper)


def within(size: Size, parts: Sequence[str]) -> list[ModuleType]:
    """Those of some studies that have something to show at this size."""
    shown = [part for part in parts if part not in ABOUT_NOISE or max(getattr(size, ABOUT_NOISE[part])) > 0]
    return [import_module(f"{__package__}.{part}") for part in shown]
