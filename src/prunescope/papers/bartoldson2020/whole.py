"""bartoldson2020: the whole paper, all figures and claims in one report."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.bartoldson.sizes import PAPER_2020
from prunescope.papers.bartoldson2020 import app_b, app_c, app_d, app_e, app_f, fig2, fig3, fig4, fig5, fig6
from prunescope.studies.study import Study, merged

PARTS: Mapping[str, ModuleType] = MappingProxyType(
    {
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


class Settings(Value):
    """Which parts, and of how many runs each arm consists; all else is each part's own at the scale.

    replicates: 0 leaves each part its own number.
    """

    parts: tuple[str, ...] = Field(default=tuple(PARTS), min_length=1)
    replicates: int = Field(default=0, ge=0)


SCALES: Mapping[str, Settings] = MappingProxyType(dict.fromkeys(("smoke", "laptop", "paper"), Settings()))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings; all parts share their runs. Raises UsageError for a part that is not there."""
    if unknown := [name for name in settings.parts if name not in PARTS]:
        raise UsageError(f"parts={unknown} are not in the paper; there are {', '.join(PARTS)}")
    parts = []
    for name in settings.parts:
        own = PARTS[name].SCALES[scale]
        changed = own.replace(replicates=settings.replicates) if settings.replicates else own
        parts.append(PARTS[name].build(changed, scale))
    return merged(
        parts,
        name="bartoldson2020",
        question="Does pruning generalize by its instability, within which limits, and because minima become flatter?",
        settings=settings,
        scale=_words(settings.parts, parts),
        paper=PAPER_2020,
    )


def _words(names: Sequence[str], parts: Sequence[Study]) -> str:
    """The size of every part."""
    return "; ".join(f"{name} at {part.scale}" for name, part in zip(names, parts, strict=True))
