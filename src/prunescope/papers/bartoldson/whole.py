"""Several figures of a paper in one report.

Belongs here: choosing among a paper's parts and joining them. Does not belong here: which parts a paper has (its
`whole.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Annotated, Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.bartoldson.sizes import Count
from prunescope.studies.study import Study, merged


class Settings(Value):
    """Which parts, and of how many runs each arm consists; all else is each part's own at the scale.

    parts: names of figures and appendices. replicates: a number, or as many as each part has by itself.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"] = "all"
    replicates: Count | Literal["each its own"] = "each its own"


SCALES: Mapping[str, Settings] = MappingProxyType(dict.fromkeys(("smoke", "laptop", "paper"), Settings()))


def joined(
    among: Mapping[str, ModuleType], settings: Settings, scale: str, *, name: str, question: str, paper: str
) -> Study:
    """The chosen parts as one study, in their order; parts share their runs.

    among: every part of the paper. Raises UsageError for a part that is not there.
    """
    names = tuple(among) if settings.parts == "all" else settings.parts
    if unknown := [part for part in names if part not in among]:
        raise UsageError(f"parts={unknown} are not in the paper; there are {', '.join(among)}")
    made = []
    for part in names:
        own = among[part].SCALES[scale]
        changed = (
            own if settings.replicates == "each its own" else own.replace(replicates=settings.replicates)
        )
        made.append(among[part].build(changed, scale))
    return merged(
        made,
        name=name,
        question=question,
        settings=settings,
        scale="; ".join(f"{part} at {study.scale}" for part, study in zip(names, made, strict=True)),
        paper=paper,
    )
