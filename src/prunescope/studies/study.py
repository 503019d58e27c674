"""A study: one question with its figures and claims."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property

from prunescope.base import value
from prunescope.base.errors import UsageError
from prunescope.studies.checked import require_all
from prunescope.studies.claim import Claim, Precondition, Verdict
from prunescope.studies.extent import Extent
from prunescope.studies.figure import Figure
from prunescope.studies.results import Node, Results
from prunescope.studies.rule import Rule

_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{,99}")
_FOLDER_NAME = re.compile(r"[^./\\\s\0][^/\\\0]{,99}(/[^./\\\s\0][^/\\\0]{,99})*")


@dataclass(frozen=True, repr=False)
class Study:
    """One question, and everything that answers it.

    name: what the command line and the report call it; reports lie in a folder of this name.
    question: one sentence.
    settings: the value that the study was made from.
    figures: what is shown.
    claims: what is judged; the figures' own claims are added to these, before them.
    paper: the reference, in full; empty for a study of one's own.
    rule: by which the paper itself calls a result one; without, only intervals decide.
    scale: what the study was cut down to, in words.
    extent: how it stands to the paper's own settings, where it is known; every verdict says so.
    recalled: whether the paper's own settings are remembered or proposed, as its text was not at hand.
    notes: paragraphs for the reader.
    cautions: what is told at the head of the report where it does not hold, such as an optimum inside its chain.
    head: the sentence at the head of the report, of the results and the verdicts on its claims; by default verdicts are
        counted.

    Two claims of one name must be the same claim, which several figures may show.
    """

    name: str
    question: str
    _: KW_ONLY
    settings: value.Value
    figures: tuple[Figure, ...] = ()
    claims: tuple[Claim, ...] = ()
    paper: str = ""
    rule: Rule | None = None
    scale: str = ""
    extent: Extent | None = None
    recalled: bool = False
    notes: tuple[str, ...] = ()
    cautions: tuple[Precondition, ...] = ()
    head: Callable[[Results, Sequence[Verdict]], str] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _FOLDER_NAME.fullmatch(self.name):
            raise UsageError(
                f"study name {self.name!r} cannot be a folder of reports; use letters, digits, '-' and '_', and '/' "
                "between folders"
            )
        require_all(self.figures, Figure, f"figures of study {self.name!r}")
        require_all(self.claims, Claim, f"claims of study {self.name!r}")
        require_all(self.cautions, Precondition, f"cautions of study {self.name!r}")
        shown = [claim for figure in self.figures for claim in figure.claims]
        different = {id(claim): claim for claim in (*shown, *self.claims)}
        claims = tuple(different.values())
        _check_names("figure", [figure.name for figure in self.figures])
        _check_names("claim", [claim.name for claim in claims])
        object.__setattr__(self, "claims", claims)

    def __repr__(self) -> str:
        counts = f"{len(self.figures)} figures, {len(self.claims)} claims, {len(self.nodes)} nodes"
        return f"<Study {self.name}: {self.question} ({counts})>"

    def _repr_html_(self) -> str:
        claims = "".join(f"<li>{html.escape(claim.says)} <code>{claim.name}</code></li>" for claim in self.claims)
        figures = "".join(f"<li>{html.escape(figure.title)} <code>{figure.name}</code></li>" for figure in self.figures)
        head = f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.question)} {html.escape(self.scale)}</p>"
        return f"{head}<p>Claims</p><ol>{claims}</ol><p>Figures</p><ol>{figures}</ol>"

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All that must be computed: what the claims, the cautions and the figures are made of, each once."""
        parts: list[Claim | Figure] = [*self.claims, *self.figures]
        nodes = [node for part in parts for node in part.nodes]
        nodes += [node for caution in self.cautions for node in caution.quantity.nodes]
        return tuple({node.id: node for node in nodes}.values())

    def claims_of(self, figure: Figure) -> tuple[Claim, ...]:
        """The claims that a figure bears on: its own, or all there are if it is the only figure and has none."""
        return self.claims if self.figures == (figure,) and not figure.claims else figure.claims


def require_study(given: object) -> None:
    """Raises UsageError for what is no study, such as the module of one."""
    if not isinstance(given, Study):
        raise UsageError(f"{given!r} is no study; give a ps.Study, as build() of a study's file returns")


def titled(doc: str | None) -> tuple[str, str]:
    """The name and the question of a study, from the docstring of its module: "name: question" in its first paragraph.

    Raises UsageError for another docstring.
    """
    name, colon, question = " ".join((doc or "").split("\n\n")[0].split()).partition(": ")
    if not colon:
        raise UsageError(f"the docstring {doc!r} does not begin with the study's name, a colon and its question")
    return name, question


def _check_names(kind: str, names: Sequence[str]) -> None:
    """Names become file names and anchors, so they are plain and unique."""
    for name, times in Counter(names).items():
        if not _FILE_NAME.fullmatch(str(name)):
            raise UsageError(
                f"{kind} name {name!r} cannot be a file name; use up to 100 lower-case letters, digits, '-' and '_'"
            )
        if times > 1:
            raise UsageError(f"two {kind}s are called {name!r}; give each its own name")


def merged(parts: Iterable[Study], name: str, question: str, *, settings: value.Value, scale: str, paper: str) -> Study:
    """One study of all figures, claims and notes of several, by the first one's rule; what they share is there once.

    Of equal names of claims the last part's is kept. Raises UsageError if figures of two parts have one name.
    """
    studies = list(parts)
    claims = {claim.name: claim for part in studies for claim in part.claims}
    figures = [
        replace(figure, claims=tuple(claims[claim.name] for claim in part.claims_of(figure)))
        for part in studies
        for figure in part.figures
    ]
    return Study(
        name,
        question,
        settings=settings,
        figures=tuple(figures),
        claims=tuple(claims.values()),
        paper=paper,
        rule=studies[0].rule,
        scale=scale,
        recalled=any(part.recalled for part in studies),
        notes=tuple(dict.fromkeys(note for part in studies for note in part.notes)),
        cautions=tuple({caution.says: caution for part in studies for caution in part.cautions}.values()),
    )
