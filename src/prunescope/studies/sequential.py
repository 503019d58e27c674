"""Replicates that are added until claims are decided, with intervals that hold at every look."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from prunescope.studies.claim import Claim, Verdict
from prunescope.studies.judging import after_holm, judge
from prunescope.studies.region import Outcome
from prunescope.studies.results import Node, Results
from prunescope.studies.study import Study

OPEN: tuple[Outcome, ...] = ("inconclusive", "too few replicates")
"""Verdicts that more replicates may change."""


def at_every_look(claim: Claim, at: Sequence[int]) -> Claim:
    """The claim with an interval that holds at all looks together."""
    return replace(claim, region=claim.region.at_looks(tuple(at)))


def is_open(verdict: Verdict) -> bool:
    """Whether more replicates may change it: the interval decides nothing, or no longer does after Holm's correction.

    The latter counts where p holds at all looks.
    """
    return verdict.interval_rule in OPEN or (verdict.claim.region.two_sided and verdict.fails_holm)


@dataclass(frozen=True)
class Decided:
    """What became of a study whose replicates were added: how it is reported, and the number of them.

    study: with every claim, figure and first sentence as of the last look at which all of its results were there.
    replicates: at the last look.
    """

    study: Study
    replicates: int


def until_decided(
    build: Callable[[int], Study],
    at: Sequence[int],
    make: Callable[[Sequence[Node]], Results],
    is_there: Callable[[Sequence[Node]], bool] = lambda nodes: True,
) -> Decided:
    """Adds replicates until each claim is decided (see `is_open`), or there are enough.

    The first look needs the whole study; from then on only what undecided claims are made of is computed, so arms of
    decided claims stop.

    build: the study with so many replicates, whose claims keep their names. at: see `looks`. make: computes nodes.
    is_there: where nothing is computed, whether nodes can be read; if not, the look before was the last.
    """
    claims: dict[str, Claim] = {}
    verdicts: dict[str, Verdict] = {}
    settled: set[str] = set()
    made: set[str] = set()
    studies: list[Study] = []
    for number in at:
        study = build(number)
        still = [at_every_look(claim, at) for claim in study.claims if claim.name not in settled]
        nodes = [node for claim in still for node in claim.nodes] if studies else list(study.nodes)
        if studies and not is_there(nodes):
            break
        results = make(nodes)
        made.update(node.id for node in nodes)
        studies.append(study)
        claims |= {claim.name: claim for claim in still}
        verdicts |= {claim.name: judge(claim, results) for claim in still}
        settled |= {v.claim.name for v in after_holm(verdicts.values()) if not is_open(v)}
        if len(settled) == len(study.claims):
            break
    return Decided(_as_made(studies, claims, made, at), at[len(studies) - 1])


def _as_made(studies: Sequence[Study], claims: dict[str, Claim], made: set[str], at: Sequence[int]) -> Study:
    """The last study with given claims; figures and first sentence are the latest whose results are all there."""
    last = studies[-1]

    def latest(nodes: Callable[[Study], Iterable[Node]]) -> int:
        return next(look for look in reversed(range(len(studies))) if all(n.id in made for n in nodes(studies[look])))

    figures = []
    for place, figure in enumerate(last.figures):
        look = latest(lambda study, place=place: study.figures[place].nodes)  # type: ignore[misc]
        whole, most = studies[look].figures[place], at[len(studies) - 1]
        n = f" n = {at[look]} of {most}: later replicates are of what claims needed that were still open."
        judged = tuple(claims[claim.name] for claim in figure.claims)
        figures.append(replace(whole, claims=judged, caption=whole.caption + n * (at[look] < most)))
    said = studies[latest(lambda study: [node for claim in study.claims for node in claim.nodes])]
    note = (
        f"Replicates were added until claims were decided, at most {at[-1]}; a decided claim has as many as it took. "
        "Intervals of claims hold at all looks together, those of figures at one look; p-values "
        + ("too." if any(c.region.two_sided for c in claims.values()) else "are those of a single look.")
    )
    return replace(
        last,
        figures=tuple(figures),
        claims=tuple(claims[claim.name] for claim in last.claims),
        cautions=said.cautions,
        head=said.head,
        notes=(*last.notes, note),
    )
