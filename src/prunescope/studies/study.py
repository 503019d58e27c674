"""A study: one question with its nodes, figures and claims.

Belongs here: the record. Does not belong here: running it (`runs`), judging it (`claim.py`), showing it
(`report.py`).
"""

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from prunescope.base import value
from prunescope.base.errors import UsageError
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure
from prunescope.studies.results import Node

_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Study:
    """One question, and everything that answers it.

    paper: the reference, in full; empty for a study of one's own. scale: what the study was cut down to, in
    words.
    settings: the value the study was made from. nodes: all that must be computed. notes: paragraphs for the
    reader. cautions: what stands at the head of the report where it does not hold, such as an optimum inside its chain.
    """

    name: str
    question: str
    _: KW_ONLY
    settings: value.Value
    nodes: Sequence[Node]
    figures: tuple[Figure, ...] = ()
    claims: tuple[Claim, ...] = ()
    paper: str = ""
    scale: str = ""
    notes: tuple[str, ...] = ()
    cautions: tuple[Precondition, ...] = ()

    def __post_init__(self) -> None:
        _check_names("figure", [figure.name for figure in self.figures])
        _check_names("claim", [claim.name for claim in self.claims])
        known = {claim.name for claim in self.claims}
        for figure in self.figures:
            if strange := set(figure.claims) - known:
                raise UsageError(
                    f"figure {figure.name!r} is about {sorted(strange)}, which are no claims of {self.name}"
                )

    @property
    def illustrated(self) -> tuple[Figure, ...]:
        """The figures with the claims that they bear on; an only figure that names none bears on all of them."""
        if len(self.figures) == 1 and not self.figures[0].claims:
            return (self.figures[0].about(*self.claims),)
        return self.figures


def _check_names(kind: str, names: list[str]) -> None:
    """Names become file names and anchors, so they are plain and unique."""
    for name in names:
        if not _FILE_NAME.fullmatch(name):
            raise UsageError(
                f"{kind} name {name!r} cannot be a file name; use lower-case letters, digits, '-' and '_'"
            )
        if names.count(name) > 1:
            raise UsageError(f"two {kind}s are called {name!r}; give each its own name")


def merged(
    parts: Sequence[Study], *, name: str, question: str, settings: value.Value, scale: str, paper: str
) -> Study:
    """One study of all nodes, figures, claims and notes of several; what several share is there once.

    Raises UsageError if different figures of two parts have one name.
    """
    claims = {claim.name: claim for part in parts for claim in part.claims}
    return Study(
        name,
        question,
        settings=settings,
        nodes=list({node.id: node for part in parts for node in part.nodes}.values()),
        figures=tuple(figure for part in parts for figure in part.illustrated),
        claims=tuple(claims.values()),
        paper=paper,
        scale=scale,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        cautions=tuple({caution.says: caution for part in parts for caution in part.cautions}.values()),
    )
