"""Replicates that are added until claims are decided, with intervals that hold at every look.

Belongs here: when to look, how wide intervals are then, and the loop. Does not belong here: making results, which is
handed in.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.studies.claim import Claim, judge
from prunescope.studies.region import Direction, Equivalence, MedianDirection, Near, Outcome
from prunescope.studies.results import Node, Results
from prunescope.studies.study import Study

OPEN: tuple[Outcome, ...] = ("inconclusive", "too few replicates")
"""Verdicts that more replicates may change."""
FIRST = 3
STUDIES = 40_000
"""Simulated studies by which intervals are made to hold at every look: an error of 5 % is one of 4.8 to 5.2 %."""


def looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of replicates at which claims are judged: from `first` on, a quarter more each time, up to `most`.

    Raises UsageError for fewer than two replicates at first, or fewer at most than at first.

    >>> looks(3, 20)
    (3, 4, 5, 7, 9, 12, 15, 19, 20)
    """
    if not 2 <= first <= most:
        raise UsageError(f"from {first} to {most} replicates there is no look; begin with 2 or more, and end later")
    numbers = [first]
    while numbers[-1] < most:
        numbers.append(min(most, math.ceil(1.25 * numbers[-1])))
    return tuple(numbers)


@lru_cache(256)
def repeated_level(level: float, at: tuple[int, ...]) -> float:
    """The level of each of several t-intervals, so that all of them hold together with probability `level`.

    at: the numbers of replicates at which they are taken, each sample the beginning of the next.

    Of Gaussian replicates the t-statistics at all looks have one joint distribution, whatever mean and variance are, so
    the level is found once by simulation under a fixed seed.

    Source: Pocock 1977 (the same level at every look); Jennison and Turnbull 1989 (repeated confidence intervals).
    Differs from the source: exact for unknown variance and few replicates, by simulation.
    """
    from scipy import stats

    draws = np.random.Generator(np.random.Philox(0)).standard_normal((STUDIES, max(at)))
    sizes = np.asarray(at)
    sums, squares = (np.cumsum(draws**power, axis=1)[:, sizes - 1] for power in (1, 2))
    variances = (squares - sums**2 / sizes) / (sizes - 1)
    p = 2.0 * stats.t.sf(np.abs(sums) / np.sqrt(variances * sizes), sizes - 1)
    return 1.0 - float(np.quantile(p.min(axis=1), 1.0 - level))


def at_every_look(claim: Claim, at: Sequence[int]) -> Claim:
    """The claim with an interval that holds at all looks together.

    t-intervals get `repeated_level`; of others each look gets an equal part of the error.

    Source: Bonferroni's inequality.
    """
    region = claim.region
    by_t = isinstance(region, Direction | Near | Equivalence) and not isinstance(region, MedianDirection)
    level = repeated_level(region.level, tuple(at)) if by_t else 1.0 - (1.0 - region.level) / len(at)
    fewest = math.ceil(1.0 - math.log2(1.0 - level)) if isinstance(region, MedianDirection) else 0
    return replace(
        claim,
        region=replace(region, level=level),  # type: ignore[type-var]  # regions are dataclasses
        min_replicates=max(claim.min_replicates, fewest),
    )


@dataclass(frozen=True)
class Decided:
    """What became of a study whose replicates were added: how it is reported, and the number of them.

    study: with every claim, figure and first sentence as of the last look at which all of its results were there.
    replicates: at the last look.
    """

    study: Study
    replicates: int


def until_decided(
    build: Callable[[int], Study], at: Sequence[int], make: Callable[[Iterable[Node]], Results]
) -> Decided:
    """Adds replicates until each claim's interval lies inside or outside its region, or there are enough.

    The first look needs the whole study; from then on only what undecided claims are made of is computed, so arms of
    decided claims stop.

    build: the study with so many replicates, whose claims keep their names. at: see `looks`. make: computes nodes.
    """
    settled: dict[str, Claim] = {}
    made: set[str] = set()
    studies: list[Study] = []
    for number in at:
        study = build(number)
        claims = [at_every_look(claim, at) for claim in study.claims if claim.name not in settled]
        nodes = [node for claim in claims for node in claim.nodes] if studies else list(study.nodes)
        results = make(nodes)
        made.update(node.id for node in nodes)
        studies.append(study)
        settled |= {claim.name: claim for claim in claims if judge(claim, results).interval_rule not in OPEN}
        if len(settled) == len(study.claims):
            break
    last = {claim.name: claim for claim in claims} | settled
    return Decided(_as_made(studies, last, made, at), number)


def _as_made(studies: Sequence[Study], claims: dict[str, Claim], made: set[str], at: Sequence[int]) -> Study:
    """The last study with given claims; figures and first sentence are the latest whose results are all there."""
    last = studies[-1]

    def latest(nodes: Callable[[Study], Iterable[Node]]) -> Study:
        return next(study for study in reversed(studies) if all(node.id in made for node in nodes(study)))

    figures = []
    for place, figure in enumerate(last.figures):
        whole = latest(lambda study, place=place: study.figures[place].nodes).figures[place]  # type: ignore[misc]
        figures.append(replace(whole, claims=tuple(claims[claim.name] for claim in figure.claims)))
    said = latest(lambda study: [node for claim in study.claims for node in claim.nodes])
    note = (
        f"Replicates were added until claims were decided, at most {at[-1]}; a decided claim has as many as it took. "
        "Intervals hold at all looks together; p-values are those of a single look."
    )
    return replace(
        last,
        figures=tuple(figures),
        claims=tuple(claims[claim.name] for claim in last.claims),
        cautions=said.cautions,
        head=said.head,
        notes=(*last.notes, note),
    )
