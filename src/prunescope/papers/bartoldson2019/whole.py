"""bartoldson2019: the whole paper, all figures and claims in one report."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.bartoldson.sizes import PAPER_2019
from prunescope.papers.bartoldson2019 import fig1, fig2, fig3, fig_a1, fig_a2, fig_a3
from prunescope.studies.study import Study, merged

PARTS: Mapping[str, ModuleType] = MappingProxyType(
    {
        "fig1": fig1,
        "fig2": fig2,
        "fig3": fig3,
        "figA1": fig_a1,
        "figA2": fig_a2,
        "figA3": fig_a3,
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
        name="bartoldson2019",
        question="Does pruning generalize by the instability that it causes?",
        settings=settings,
        scale=_words(settings.parts, parts),
        paper=PAPER_2019,
    )


def _words(names: Sequence[str], parts: Sequence[Study]) -> str:
    """The size of every part."""
    return "; ".join(f"{name} at {part.scale}" for name, part in zip(names, parts, strict=True))
