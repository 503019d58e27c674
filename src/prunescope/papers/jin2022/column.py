"""jin2022/column: On one benchmark, what do pruning, longer training, a smaller width and leaving examples out do?

One column of the paper's figures, without other algorithms, ablations and further controls.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated, Literal, get_args

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS, settings
from prunescope.papers.jin2022.scales import Size
from prunescope.papers.jin2022.settings import About, words

FIGURE = "all of jin2022 but other algorithms, ablations and further controls"
COST = {"smoke": "half a minute or less", "laptop": "3 hours", "paper": "9 hours"}

Part = Literal[
    "fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "section7",
    "app_b", "app_d", "app_e", "app_i", "app_k", "app_l", "app_m", "optimum",
]  # fmt: skip
"""The files of the studies that live on the same arms: pruning, extended training, width, EL2N, leave-out."""
PARTS: tuple[Part, ...] = get_args(Part)
ABOUT_NOISE: Mapping[str, About] = {"fig4": "noises", "fig5": "noises", "app_e": "controls", "app_i": "controls"}
"""Those of them that are left out where none of these levels has label noise."""


class Settings(settings.Settings):
    """See the class above.

    parts: which of the column's studies are run; what only the others need is not trained.
    """

    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = PARTS


SCALES = {
    name: Settings(**{field: getattr(value, field) for field in type(value).model_fields})
    for name, value in settings.SCALES.items()
}


class SomeParts(Size):
    """A size with the parts of the column that are run."""

    parts: tuple[Part, ...]


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings; all parts share their runs."""
    size, parts = settings.size(scale), settings.parts
    studies = [part.build(settings, scale) for part in within(size, parts)]
    if not studies:
        raise ps.UsageError(
            f"parts={list(parts)} are about label noise, of which there is none here; add a noise level"
        )
    shown, said = size, words(size, scale)
    if parts != PARTS:
        shown, said = SomeParts(**dict(size), parts=parts), f"{said}; of the column {', '.join(parts)} only"
    return ps.merged(studies, *ps.titled(__doc__), settings=shown, scale=said, paper=PAPERS["jin2022"])


def within(size: Size, parts: Sequence[str]) -> list[ModuleType]:
    """Those of some studies that have something to show at this size."""
    shown = [part for part in parts if part not in ABOUT_NOISE or max(getattr(size, ABOUT_NOISE[part])) > 0]
    return [import_module(f"{__package__}.{part}") for part in shown]
