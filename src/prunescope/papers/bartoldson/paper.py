"""Several figures of a paper in one report: choosing among its parts, and joining them."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Annotated, Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.papers.bartoldson import PAPERS
from prunescope.papers.bartoldson.scales import Count
from prunescope.studies.study import Study, merged, titled


class Settings(Value):
    """Which parts are run; all else is each part's own at the scale.

    parts: names of figures and appendices.
    replicates: runs of each arm, or as many as each part has by itself.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"] = "all"
    replicates: Count | Literal["each its own"] = "each its own"


SCALES: Mapping[str, Settings] = MappingProxyType(dict.fromkeys(("smoke", "laptop", "paper"), Settings()))


def joined(parts: Mapping[str, ModuleType], settings: Settings, scale: str, doc: str | None) -> Study:
    """The chosen parts as one study, in their order; parts share their runs.

    parts: every part of the paper.
    doc: of the module that is the whole paper.

    Raises UsageError for a part that is not there.
    """
    names = tuple(parts) if settings.parts == "all" else settings.parts
    if unknown := [part for part in names if part not in parts]:
        raise UsageError(f"parts={unknown} are not in the paper; there are {', '.join(parts)}")
    changes = {} if settings.replicates == "each its own" else {"replicates": settings.replicates}
    made = [parts[name].build(parts[name].SCALES[scale].replace(**changes), scale) for name in names]
    name, question = titled(doc)
    return merged(
        made,
        name=name,
        question=question,
        settings=settings,
        scale="; ".join(f"{part} at {study.scale}" for part, study in zip(names, made, strict=True)),
        paper=PAPERS[name],
    )
