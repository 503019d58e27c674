"""Bounds that a pruned network has to keep: kept, broken, or not to be told from so many examples.

Belongs here: what bounds there are, and their answers as JUnit XML. Does not belong here: how intervals are made.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from prunescope.audit.contrast import Contrast
from prunescope.base.errors import UsageError
from prunescope.studies.claim import Verdict
from prunescope.studies.paired import Family
from prunescope.studies.statistics import Interval

POINTS = "percentage points of error"
WORDS = ("kept", "broken", "cannot tell")


@dataclass(frozen=True)
class Bound:
    """What may be bounded.

    says: the sentence, with the bound in it. of: the numbers, a fraction each, that must all be at most the bound.
    unit: what they are, times 100.
    """

    says: str
    of: Callable[[Contrast], Family]
    unit: str = POINTS


def _overall(one: Contrast) -> Family:
    return one.changes.at(one.places("all"))


def _groups(one: Contrast) -> Family:
    return one.changes.at(one.places())


def _disagreement(one: Contrast) -> Family:
    interval = one.alone((one.dense.prediction != one.other.prediction).astype(np.float64))
    estimate, low, high = (np.array([end]) for end in (interval.estimate, interval.low, interval.high))
    return Family(np.array([len(one.evidence)]), estimate, low, high, interval.level)


BOUNDS: Mapping[str, Bound] = {
    "max-loss": Bound("The error rises by at most {:g} points.", _overall),
    "max-class-loss": Bound("No class loses more than {:g} points.", lambda one: one.changes.at(one.places("class"))),
    "max-group-loss": Bound("No group loses more than {:g} points.", _groups),
    "max-disagreement": Bound("At most {:g} % of the predictions differ.", _disagreement, "% of predictions"),
}


def checked(gate: Mapping[str, float], *, groups: bool) -> Mapping[str, float]:
    """The bounds. Raises UsageError for unknown names, impossible numbers, and groups that are not there."""
    for name, bound in gate.items():
        if name not in BOUNDS:
            raise UsageError(f"{name!r} is no bound; there are {', '.join(BOUNDS)}")
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise UsageError(f"the bound {name}={bound!r} is no number; give percentage points, such as {name}=1")
        if not 0 <= bound <= 100:
            raise UsageError(f"the bound {name}={bound} is outside 0 to 100; give percentage points, such as {name}=1")
    if "max-group-loss" in gate and not groups:
        raise UsageError("max-group-loss bounds the groups' losses, and there are none; give groups, too")
    return gate


def needed(family: Family, bound: float, examples: int) -> int | None:
    """About how many examples would decide if rates stay as they are: half-widths shrink as 1 / sqrt(n).

    family: fractions. bound: likewise. None where an estimate is at the bound itself, so that no number would do.
    """
    over = family.estimate > bound
    half = np.where(over, family.estimate - family.low, family.high - family.estimate)
    distance = np.abs(family.estimate - bound)
    factor = np.divide(half, distance, out=np.full_like(half, math.inf), where=distance > 0) ** 2
    decides = float(factor[over].min() if over.any() else factor.max())
    return math.ceil(decides * examples) if math.isfinite(decides) else None


def answer(verdict: Verdict) -> str:
    """What is said of a gate: kept, broken, or what would be needed to tell."""
    assert verdict.estimate is not None
    interval = verdict.estimate.interval
    level, shown = f"{100 * interval.level:.4g} %", _ends(interval)
    if verdict.interval_rule != "inconclusive":
        return f"{verdict.said} with {level} confidence: {shown}"
    return f"cannot tell with {verdict.n:,} examples: {shown}; {verdict.estimate.about}"


def _ends(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def junit(verdicts: Sequence[Verdict], name: str) -> str:
    """The gate's answers as JUnit XML: a broken bound is a failure, one that cannot be told is skipped."""
    broken = [verdict for verdict in verdicts if verdict.interval_rule == "contradicted"]
    unknown = [verdict for verdict in verdicts if verdict.interval_rule == "inconclusive"]
    counts = {"tests": len(verdicts), "failures": len(broken), "skipped": len(unknown), "errors": 0}
    suite = ElementTree.Element("testsuite", {"name": name, **{key: str(value) for key, value in counts.items()}})
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": verdict.claim.says})
        if verdict in broken:
            ElementTree.SubElement(case, "failure", {"message": answer(verdict)})
        elif verdict in unknown:
            ElementTree.SubElement(case, "skipped", {"message": answer(verdict)})
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
