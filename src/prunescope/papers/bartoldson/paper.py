"""Studies of the two papers: what all of them have, and several figures of a paper in one report."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import Annotated, Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import PAPERS
from prunescope.papers.bartoldson.scales import Count, Size, words


def study(doc: str | None, settings: Size, scale: str, figures: Iterable[ps.Figure], *notes: str) -> ps.Study:
    """The study with the name and the question that the docstring of its module begins with."""
    name, question = ps.titled(doc)
    return ps.Study(
        name,
        question,
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS[name.split("/")[0]],
        figures=tuple(figures),
        notes=notes,
    )


class Settings(ps.Value):
    """Which parts of a paper are run; all else is each part's own at the scale.

    parts: names of figures and appendices.
    replicates: runs of each arm, or as many as each part has by itself.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"] = "all"
    replicates: Count | Literal["each its own"] = "each its own"


SCALES: Mapping[str, Settings] = MappingProxyType(dict.fromkeys(("smoke", "laptop", "paper"), Settings()))


def joined(doc: str | None, modules: Iterable[ModuleType], settings: Settings, scale: str) -> ps.Study:
    """The chosen parts as one study, in their order; parts share their runs.

    doc: of the module that is the whole paper.
    modules: every part of the paper.

    Raises UsageError for a part that is not there.
    """
    parts = {ps.titled(module.__doc__)[0].split("/")[1]: module for module in modules}
    names = tuple(parts) if settings.parts == "all" else settings.parts
    if unknown := [part for part in names if part not in parts]:
        raise ps.UsageError(f"parts={unknown} are not in the paper; there are {', '.join(parts)}")
    changes = {} if settings.replicates == "each its own" else {"replicates": settings.replicates}
    made = [parts[name].build(parts[name].SCALES[scale].replace(**changes), scale) for name in names]
    name, question = ps.titled(doc)
    return ps.merged(
        made,
        name=name,
        question=question,
        settings=settings,
        scale="; ".join(f"{part} at {study.scale}" for part, study in zip(names, made, strict=True)),
        paper=PAPERS[name],
    )
