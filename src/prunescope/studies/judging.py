"""How claims are judged from results.

Belongs here: the verdict on one claim and on a family of them, and which preconditions are in the way. Does not belong
here: what is claimed (`claim.py`), or when a region holds (`region.py`, `rule.py`).
"""

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import PrunescopeError, TooFewReplicates, UsageError
from prunescope.studies import statistics
from prunescope.studies.claim import Claim, Precondition, Verdict
from prunescope.studies.quantity import Estimate
from prunescope.studies.region import Outcome
from prunescope.studies.results import Numbers, Results
from prunescope.studies.rule import NONE, Rule
from prunescope.studies.share import Among
from prunescope.studies.statistics import Interval
from prunescope.studies.study import Study

LISTED = 10
"""So many measured numbers are listed in a sentence."""


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


def judge_study(study: Study, results: Results, since: Mapping[str, str] = MappingProxyType({})) -> tuple[Verdict, ...]:
    """The verdicts on all claims of a study, with its extent; since: see `Verdict`, by the claim's name."""
    extent, verdicts = str(study.extent or ""), judge_all(study.claims, results, study.rule)
    return tuple(replace(v, extent=extent, since=since.get(v.claim.name, "")) for v in verdicts)


def cautions_of(study: Study, results: Results) -> tuple[str, ...]:
    """What does not hold of a study's cautions, and of the preconditions of its claims that do not block."""
    soft = [condition for claim in study.claims for condition in claim.preconditions if not condition.blocks]
    return unmet([*study.cautions, *soft], results)


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
    part = "partly inside of that" if interval.has_width else "of no width, which says nothing of chance"
    where = {"reproduced": "wholly inside of that", "contradicted": "wholly outside of that"}.get(outcome, part)
    why = f"Claimed: {claim.region}. The {100 * interval.level:.4g} % interval is {where}"
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
