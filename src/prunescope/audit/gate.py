"""Bounds that a pruned network has to keep: kept, broken, or not to be told from so many examples."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any
from xml.etree import ElementTree

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.studies.contrast import Contrast
from prunescope.studies.paired import Family, examples_needed

POINTS = "percentage points of error"
WORDS = ("kept", "broken", "cannot tell")
Line = dict[str, Any]
"""What is said of one number that a bound is about, by column."""


@dataclass(frozen=True)
class Bound:
    """What may be bounded.

    says: the sentence, with the bound in it. of: the numbers, a fraction each, that must all be at most the bound, and
    what each is of. unit: what they are, times 100.
    """

    says: str
    of: Callable[[Contrast], tuple[Family, Sequence[str]]]
    unit: str = POINTS

    def sentence(self, bound: float) -> str:
        """What is bounded, with the bound."""
        return self.says.format(bound=bound, points=points(bound))


def points(number: float) -> str:
    """So many points, in words."""
    return "1 point" if number == 1 else f"{number:g} points"


def _losses(*families: str) -> Callable[[Contrast], tuple[Family, Sequence[str]]]:
    """What the parts of some families lose; of no family, those of the user's groups."""

    def of(one: Contrast) -> tuple[Family, Sequence[str]]:
        places = one.places(*families)
        return one.changes.at(places), [one.parts[place].title for place in places]

    return of


def _disagreement(one: Contrast) -> tuple[Family, Sequence[str]]:
    return one.alone((one.dense.prediction != one.other.prediction).astype(np.float64)), ["all examples"]


BOUNDS: Mapping[str, Bound] = {
    "max-loss": Bound("The error rises by at most {points}.", _losses("all")),
    "max-class-loss": Bound("No class loses more than {points}.", _losses("class")),
    "max-group-loss": Bound("No group loses more than {points}.", _losses()),
    "max-disagreement": Bound("At most {bound:g} % of the predictions differ.", _disagreement, "% of predictions"),
}


def checked(gate: Mapping[str, float], *, groups: bool) -> Mapping[str, float]:
    """The bounds. Raises UsageError for unknown names, impossible numbers, and groups that are not there."""
    for name, bound in gate.items():
        if name not in BOUNDS:
            raise UsageError(f"{name!r} is no bound; there are {', '.join(BOUNDS)}")
        if isinstance(bound, bool) or not isinstance(bound, Real):
            raise UsageError(f"the bound {name}={bound!r} is no number; give percentage points, such as {name}=1")
        if not 0 <= bound <= 100:
            raise UsageError(f"the bound {name}={bound} is outside 0 to 100; give percentage points, such as {name}=1")
    if "max-group-loss" in gate and not groups:
        raise UsageError("max-group-loss bounds the groups' losses, and there are none; give groups, too")
    return {name: float(bound) for name, bound in gate.items()}


def would(examples: int | None) -> str:
    """How many examples would decide, in words."""
    return f"about {examples:,} would do" if examples else "it is at the bound itself"


def lines(networks: Sequence[Contrast], gate: Mapping[str, float]) -> list[Line]:
    """A row a network, bound, and number bounded: what is broken first, then what cannot be told; the worst first.

    A bound is kept where all its rows are, and broken where one is; see `Claims`.
    """
    rows = [row for one in networks for kind, bound in gate.items() for row in _lines(one, kind, bound)]
    return sorted(rows, key=lambda row: ("broken", "cannot tell", "kept").index(row["answer"]))


def _lines(one: Contrast, kind: str, bound: float) -> list[Line]:
    family, titles = BOUNDS[kind].of(one)
    rows: list[Line] = []
    for place in np.argsort(-family.estimate, kind="stable"):
        number, interval = family.at(np.array([place])), family.interval(int(place)).times(100)
        answer, n = "cannot tell", int(family.n[place])
        if interval.high < bound or interval.low > bound:
            answer = "kept" if interval.high < bound else "broken"
        row: Line = {"network": one.other.name, "bound": f"{kind}={bound:g}", "group": titles[place], "answer": answer}
        row |= {"examples": n, "change": interval.estimate, "low": interval.low, "high": interval.high}
        row |= {"unit": BOUNDS[kind].unit, "level, %": 100 * interval.level}
        enough = examples_needed(number, bound / 100, n) if answer == "cannot tell" else None
        rows.append(row | {"examples needed": enough})
    return rows


def line(row: Line) -> str:
    """One row in words: what is bounded, its answer, the number with its interval and unit, what would be needed."""
    said = f"{row['answer']} with {row['level, %']:.4g} % confidence"
    if row["answer"] == "cannot tell":
        said = f"cannot tell with {row['examples']:,} examples, {would(row['examples needed'])}"
    return (
        f"{row['network']}, {row['bound']}, {row['group']}: {said}: {row['change']:.2f} [{row['low']:.2f}, "
        f"{row['high']:.2f}] {row['unit']}"
    )


def junit(rows: Sequence[Line], name: str) -> str:
    """The rows as JUnit XML: what breaks a bound is a failure, what cannot be told an error, as of the exit code."""
    kinds = {"broken": "failure", "cannot tell": "error"}
    answers = Counter(row["answer"] for row in rows)
    counts = {"tests": len(rows), "errors": answers["cannot tell"], "failures": answers["broken"], "skipped": 0}
    suite = ElementTree.Element("testsuite", {"name": name, **{key: str(value) for key, value in counts.items()}})
    for row in rows:
        title = f"{row['bound']}, {row['group']}"
        case = ElementTree.SubElement(suite, "testcase", {"classname": f"{name}.{row['network']}", "name": title})
        if row["answer"] in kinds:
            ElementTree.SubElement(case, kinds[row["answer"]], {"message": line(row)})
        else:
            ElementTree.SubElement(case, "system-out").text = line(row)
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)  # XML has no others
