"""Claims and verdicts.

Belongs here: what is claimed, when it can be judged, and the judgement. Does not belong here: the rules
themselves (`region.py`), or how a verdict is shown (`report.py`).
"""

import math
import reprlib
from collections.abc import Collection, Iterable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import PrunescopeError, TooFewReplicates, UsageError
from prunescope.studies import statistics
from prunescope.studies.checked import require_all
from prunescope.studies.quantity import Estimate, Estimated, Quantity, nodes_of, require_quantities
from prunescope.studies.region import Outcome, Region
from prunescope.studies.results import Node, Numbers, Results
from prunescope.studies.rule import NONE, Rule
from prunescope.studies.share import Among
from prunescope.studies.statistics import Interval

Basis = Literal["paper", "recalled", "proposed"]
"""Read in the paper; remembered but not found again; this project's own."""
SIGNIFICANT = 0.05
"""Holm's p up to which a verdict outlives the correction for all judged claims of its study."""
LISTED = 10
"""So many measured numbers are listed in a sentence."""
_DECISIONS: tuple[Outcome, ...] = ("reproduced", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Precondition:
    """Something that must hold before a claim can be judged: "the dense network fits its training set".

    says: the sentence.
    quantity: one number, or several; all of them must lie in [at_least, at_most], in its unit.
    blocks: whether the claim is not judged where it does not hold; otherwise the verdict comes with a caution.
    """

    says: str
    quantity: Quantity
    _: KW_ONLY
    at_least: float = -math.inf
    at_most: float = math.inf
    blocks: bool = True

    def __post_init__(self) -> None:
        require_quantities([self.quantity])
        bounds = (self.at_least, self.at_most)
        numbers = all(isinstance(bound, int | float) for bound in bounds)
        if not (numbers and self.at_least <= self.at_most and any(map(math.isfinite, bounds))):
            raise UsageError(
                f"precondition {self.says!r} needs at least {self.at_least!r} and at most {self.at_most!r}, which "
                "holds always or never; give at_least= or at_most="
            )

    @property
    def unit(self) -> str:
        """Of the quantity, as it is printed."""
        return self.quantity.described


@dataclass(frozen=True)
class Claim:
    """One sentence that a study can find true or false.

    name: a file name and an anchor, so lower-case letters, digits, "-" and "_".
    says: the sentence.
    quantity: one number a replicate (paired differences where it applies), or one a case for a `Count`: [R]; where
        several parts are claimed at once (`Among`), [R, parts].
    region: where it is claimed to lie.
        An `Estimated` quantity brings its own interval, over examples.
    basis: whether the paper says so, is remembered to, or nobody but this study does.
    words: how the outcomes "reproduced", "contradicted" and "inconclusive" are said of this claim.
    unwelcome: whether it is bad news if the sentence is true; reports colour its outcomes so.
    place: where the paper says so.
    preconditions: what must hold before it can be judged.
    min_replicates: the fewest replicates that it is judged from.
    """

    name: str
    says: str
    quantity: Quantity | Estimated
    region: Region
    _: KW_ONLY
    basis: Basis = "proposed"
    place: str = ""
    words: tuple[str, str, str] = ("reproduced", "contradicted", "inconclusive")
    unwelcome: bool = False
    preconditions: tuple[Precondition, ...] = ()
    min_replicates: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, Quantity | Estimated):
            raise UsageError(f"claim {self.name!r} is about {self.quantity!r}; give a Quantity, such as ps.column(...)")
        if not isinstance(self.region, Region):
            raise UsageError(
                f"claim {self.name!r} has the region {self.region!r}; give one, such as ps.Direction('less')"
            )
        if self.basis not in get_args(Basis):
            raise UsageError(
                f"claim {self.name!r} has the basis {self.basis!r}; it is one of {', '.join(get_args(Basis))}"
            )
        if not isinstance(self.min_replicates, int):
            raise UsageError(f"claim {self.name!r} has min_replicates={self.min_replicates!r}; give a whole number")
        if len(self.words) != len(_DECISIONS) or isinstance(self.words, str):
            raise UsageError(f"claim {self.name!r} has the words {self.words!r}; give one for each of {_DECISIONS}")
        require_all(self.preconditions, Precondition, f"preconditions of claim {self.name!r}")

    @property
    def unit(self) -> str:
        """Of the quantity, as it is printed ("percentage points of test error, extended minus pruned")."""
        return self.quantity.described

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that must be computed before it can be judged."""
        return nodes_of([self.quantity, *(condition.quantity for condition in self.preconditions)])


@dataclass(frozen=True)
class Verdict:
    """What became of a claim, by its paper's own rule and by the interval rule.

    paper, interval_rule: the two outcomes; where the study has no rule of a paper's, or that rule says nothing of such
        a quantity, the first is "no such rule".
    why: the region and the interval, or what is in the way of a judgement.
    values: the claim's numbers; of several parts the mean over replicates of each.
    interval: of the claimed quantity; None where there is no number.
    p: for the claimed region, see `Region.p_value`; None where there is no number.
    p_holm: p adjusted for all judged claims of the study.
    estimate: of an `Estimated` quantity, what it is estimated from; its values are not listed.
    extent: how the study stands to the paper's own settings, see `Extent`; empty for nothing to say.
    since: what became of the claim after it was registered, see `registration`; empty for nothing.
    """

    claim: Claim
    paper: Outcome
    interval_rule: Outcome
    why: str
    values: tuple[float, ...] = ()
    interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    estimate: Estimate | None = None
    extent: str = ""
    since: str = ""

    @property
    def n(self) -> int:
        """Number of replicates or examples; of cases for a count, of parts where several are claimed at once."""
        return self.estimate.n if self.estimate else len(self.values)

    @property
    def over(self) -> str:
        """What there are n of: replicates, examples, parts such as groups or levels."""
        return self.estimate.over if self.estimate else self.claim.region.over(self.claim.unit)

    @property
    def unit(self) -> str:
        """What the interval is of, as it is printed."""
        about = self.estimate.about if self.estimate else ""
        return ", ".join(filter(None, (self.claim.region.unit(self.claim.unit, self.n), about)))

    @property
    def fails_holm(self) -> bool:
        """Whether the interval decides, but p after Holm's correction for all judged claims is above 5 %.

        A p of one side says nothing of "contradicted", which then is not corrected.
        """
        tested = ("reproduced", "contradicted") if self.claim.region.two_sided else ("reproduced",)
        return self.interval_rule in tested and self.p_holm is not None and self.p_holm > SIGNIFICANT

    @property
    def stands(self) -> bool:
        """Whether the claim is decided, either way, and outlives the correction for all judged claims of its study."""
        return self.interval_rule in ("reproduced", "contradicted") and not self.fails_holm

    @property
    def said(self) -> str:
        """The outcome of the interval rule in the claim's own words.

        With the scale, whether it outlives Holm's correction, and whether the claim was changed after its first run.
        """
        since = f", {self.since}" if self.since else ""
        if self.interval_rule not in _DECISIONS:
            return self.interval_rule + since
        word = self.claim.words[_DECISIONS.index(self.interval_rule)]
        return f"{word}{self.extent}{', not after Holm' if self.fails_holm else ''}{since}"


def judge(claim: Claim, results: Results, rule: Rule | None = None) -> Verdict:
    """The verdict on one claim; rule: the paper's own, if the study has one.

    Missing results give "not run", and fewer values than the claim needs "too few replicates"; a failing precondition
    gives "not judgeable at this scale", with the numbers still shown. Raises UsageError if the claim itself is wrong,
    never if a run is missing.
    """
    try:
        read = claim.quantity(results)
        values = np.zeros(0) if isinstance(read, Estimate) else _numbers(read, f"claim {claim.name!r}")
        if not isinstance(read, Estimate):
            _check_shape(claim, values)
        blocking = [condition for condition in claim.preconditions if condition.blocks]
        obstacle = _first_failing(blocking, results)
        cautions = unmet([condition for condition in claim.preconditions if not condition.blocks], results)
    except PrunescopeError as problem:
        _raise_if_wrong(problem)
        return _unjudged(claim, "not run", str(problem))
    if isinstance(read, Estimate):
        verdict = replace(_decided(claim, read.interval, NONE), estimate=read)
    elif short := _too_little(claim, values):
        outcome: Outcome = "too few replicates" if 0 < len(values) < _needed(claim) else "not run"
        outcome = "not judgeable at this scale" if obstacle else outcome
        return _unjudged(claim, outcome, obstacle or short, values)
    else:
        by_paper = NONE if rule is None else rule.outcome(claim, values, results)
        verdict = _decided(claim, claim.region.interval(values), by_paper)
        verdict = replace(verdict, values=_shown(values), p=claim.region.p_value(values))
    if obstacle:
        verdict = replace(
            verdict,
            paper="not judgeable at this scale",
            interval_rule="not judgeable at this scale",
            why=obstacle,
            p=None,
        )
    return replace(verdict, why="; caution: ".join((verdict.why, *cautions)))


def _numbers(read: NDArray[Any], what: str) -> Numbers:
    """What a quantity came to. Raises UsageError for what is no real number, of which numpy would make some."""
    if read.dtype.kind not in "biuf":
        raise UsageError(f"{what} is about {reprlib.repr(read.tolist())}, which are no real numbers; return floats")
    return np.atleast_1d(read.astype(np.float64))


def _check_shape(claim: Claim, values: Numbers) -> None:
    """Raises UsageError for several parts where one number a replicate is judged, and the other way round."""
    kind, shape = type(claim.region).__name__, list(values.shape)
    if isinstance(claim.region, Among):
        fix = "" if values.ndim == 2 else "[replicates, parts]; put parts together by side_by_side()"
    else:
        fix = "" if values.ndim == 1 else "[replicates]; several parts at once are claimed by Among(region)"
    if fix:
        raise UsageError(f"claim {claim.name!r}: its quantity has shape {shape}; {kind} takes {fix}")


def judge_all(claims: Iterable[Claim], results: Results, rule: Rule | None = None) -> tuple[Verdict, ...]:
    """The verdicts on a family of claims, with p-values adjusted for all that were judged (Holm)."""
    return after_holm([judge(claim, results, rule) for claim in claims])


def after_holm(verdicts: Collection[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts with p adjusted for as many of them as have one."""
    adjusted = iter(statistics.holm([verdict.p for verdict in verdicts if verdict.p is not None]))
    return tuple(v if v.p is None else replace(v, p_holm=next(adjusted)) for v in verdicts)


def unmet(cautions: Iterable[Precondition], results: Results) -> tuple[str, ...]:
    """Which of a study's cautions do not hold, with the measured numbers; what cannot be measured yet is left out.

    Raises UsageError for a caution that is wrong itself.
    """
    problems: list[str] = []
    for caution in cautions:
        try:
            problems.append(_first_failing((caution,), results))
        except PrunescopeError as problem:
            _raise_if_wrong(problem)
    return tuple(dict.fromkeys(text for text in problems if text))


def _raise_if_wrong(problem: PrunescopeError) -> None:
    """Raises an error of what was asked for; one of a result that is missing is no error of the study."""
    if isinstance(problem, UsageError) and not isinstance(problem, TooFewReplicates):
        raise problem


def _decided(claim: Claim, interval: Interval, by_paper: Outcome) -> Verdict:
    outcome = claim.region.by_interval(interval)
    where = {"reproduced": "wholly inside", "contradicted": "wholly outside"}.get(outcome, "partly inside")
    why = f"Claimed: {claim.region}. The {100 * interval.level:.4g} % interval is {where} of that"
    return Verdict(claim, by_paper, outcome, why, interval=interval)


def _needed(claim: Claim) -> int:
    """The fewest values that the claim is judged from."""
    return max(claim.min_replicates, claim.region.fewest)


def _too_little(claim: Claim, values: Numbers) -> str:
    """What the sample lacks for a judgement; empty if nothing."""
    if len(values) < _needed(claim):
        return f"{len(values)} of at least {_needed(claim)} replicates"
    if not values.size:
        return "none of the parts that it is about was run"
    return "" if np.isfinite(values).all() else f"not all values are finite: {_listed(values)}"


def _first_failing(preconditions: Iterable[Precondition], results: Results) -> str:
    """Why the claim cannot be judged, with the measured number; empty if nothing is in the way."""
    for condition in preconditions:
        values = _numbers(condition.quantity(results), f"precondition {condition.says!r}")
        holds = (condition.at_least <= values) & (values <= condition.at_most)
        if not len(values) or not holds.all():
            bounds = [f"at least {condition.at_least:g}"] * math.isfinite(condition.at_least)
            bounds += [f"at most {condition.at_most:g}"] * math.isfinite(condition.at_most)
            few = values.size <= LISTED
            measured = f"{_listed(values if few else values[~holds]) or 'nothing'} {condition.unit}".strip()
            share = "" if few else f" in {(~holds).sum()} of {holds.size}"
            return f"{condition.says}: needs {' and '.join(bounds)}, measured {measured}{share}"
    return ""


def _unjudged(claim: Claim, outcome: Outcome, why: str, values: Numbers | tuple[float, ...] = ()) -> Verdict:
    return Verdict(claim, outcome, outcome, why, _shown(np.asarray(values, dtype=np.float64)))


def _shown(values: Numbers) -> tuple[float, ...]:
    """The sample as it is listed: of several parts the mean of each."""
    return tuple((values if values.ndim == 1 or not len(values) else values.mean(axis=0)).tolist())


def _listed(values: Numbers) -> str:
    return ", ".join(f"{value:.4g}" for value in values.flat[:LISTED]) + ", ..." * (values.size > LISTED)
