"""Studies of the two papers: what all of them have, and several figures of a paper in one report."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Annotated, Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import PAPERS
from prunescope.papers.bartoldson.scales import Count, S, Size, TraceSize

Figures = Iterator[ps.Figure]


def builder(
    doc: str | None, figures: Callable[[S], Iterable[ps.Figure]], *notes: str | Callable[[S], str]
) -> Callable[[S, str], ps.Study]:
    """What makes a study from settings and the name of their scale.

    doc: of its module, which begins with the study's name and question.
    figures: from settings to what is shown, with its claims.
    notes: paragraphs for the reader, or what makes them from settings.
    """
    name, question = ps.titled(doc)

    def build(settings: S, scale: str) -> ps.Study:
        """The study under these settings."""
        return ps.Study(
            name,
            question,
            settings=settings,
            scale=words(settings, scale),
            paper=PAPERS[name.split("/")[0]],
            rule=ps.CorrelationBelow5Percent(),
            figures=tuple(figures(settings)),
            notes=tuple(note if isinstance(note, str) else note(settings) for note in notes),
        )

    return build


def words(size: Size, scale: str) -> str:
    """The size in one line for people."""
    parts = []
    if size.data == "blobs":
        parts.append(f"{size.blobs} Gaussian blobs in place of images")
    elif size.share < 1:
        parts.append(f"{100 * size.share:g} % of the training images")
    parts += [f"widths times {size.width:g}"] if size.width != 1 else []
    parts += [f"epochs divided by {size.compress:g}"] if size.compress != 1 else []
    parts += [f"batches of {size.batch}"] if size.batch != "paper" else []
    parts.append("as many runs as the paper" if size.replicates == "paper" else f"{size.replicates} replicates")
    if isinstance(size, TraceSize) and size.test_limit != "all":
        parts.append(f"{size.test_limit} test images after every epoch")
    return f"{scale}: {', '.join(parts)}"


class Settings(ps.Value):
    """Which parts of a paper are run; all else is each part's own at the scale.

    parts: names of figures and appendices.
    replicates: runs of each arm, or as many as each part has by itself.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)] | Literal["all"] = "all"
    replicates: Count | Literal["each its own"] = "each its own"


SCALES: Mapping[str, Settings] = dict.fromkeys(("smoke", "laptop", "paper"), Settings())


def joined(doc: str | None, *modules: ModuleType) -> Callable[[Settings, str], ps.Study]:
    """What makes a whole paper of the chosen among all its parts, in their order; parts share their runs.

    doc: of the module that is the whole paper.

    Raises UsageError, when it is called, for a part that is not there.
    """
    parts = {ps.titled(module.__doc__)[0].split("/")[1]: module for module in modules}
    name, question = ps.titled(doc)

    def build(settings: Settings, scale: str) -> ps.Study:
        """The study under these settings. Raises UsageError for a part that is not there."""
        names = tuple(parts) if settings.parts == "all" else settings.parts
        if unknown := [part for part in names if part not in parts]:
            raise ps.UsageError(f"parts={unknown} are not in the paper; there are {', '.join(parts)}")
        changes = {} if settings.replicates == "each its own" else {"replicates": settings.replicates}
        made = [parts[part].build(parts[part].SCALES[scale].replace(**changes), scale) for part in names]
        sizes = "; ".join(f"{part} at {study.scale}" for part, study in zip(names, made, strict=True))
        return ps.merged(made, name, question, settings=settings, scale=sizes, paper=PAPERS[name])

    return build
