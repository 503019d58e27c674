"""The groups of examples that an audit looks at: all, classes, the user's groups and their crossings, difficulty."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from prunescope.audit.evidence import Answers, Evidence
from prunescope.studies.groups import equal_groups
from prunescope.studies.paired import Flags

CROSSED = 10
"""The fewest examples of a crossing of two columns that it is looked at from; proposed."""
QUANTILES = 5
"""Groups by difficulty; proposed."""


@dataclass(frozen=True, eq=False)
class Part:
    """A group of examples.

    family: "all", "class", a column's name or two. name: of the group. rows: which examples are in it, bool [N].
    """

    family: str
    name: str
    rows: Flags

    @property
    def title(self) -> str:
        """Family and name, as they are read."""
        plain = {"all": "all examples", "difficulty": self.name}
        return plain.get(self.family, f"{self.family} {self.name}")


def parts_of(evidence: Evidence) -> list[Part]:
    """All groups of examples but those by difficulty; crossings of fewer than 10 examples are left out."""
    everything = np.ones(len(evidence), dtype=bool)
    return [Part("all", "all", everything), *_classes(evidence), *_groups(evidence)]


def membership(parts: list[Part]) -> Flags:
    """Which example is in which group: bool [N, G]."""
    return np.stack([part.rows for part in parts], axis=1)


def _classes(evidence: Evidence) -> Iterator[Part]:
    for code, name in enumerate(evidence.classes):
        rows = evidence.label == code
        if rows.any():
            yield Part("class", name, rows)


def _groups(evidence: Evidence) -> Iterator[Part]:
    columns = [(title, column.names, column.codes) for title, column in evidence.groups.items()]
    for title, names, codes in columns:
        for code, name in enumerate(names):
            yield Part(title, name, codes == code)
    for (title, names, codes), (other_title, other_names, other_codes) in combinations(columns, 2):
        for code, name in enumerate(names):
            for other, other_name in enumerate(other_names):
                rows = (codes == code) & (other_codes == other)
                if rows.sum() >= CROSSED:
                    yield Part(f"{title} × {other_title}", f"{name} × {other_name}", rows)


def by_difficulty(score: NDArray[np.float64]) -> list[Part]:
    """Fifths of the examples by a score that is high for difficult ones, the easiest first."""
    groups = min(QUANTILES, len(score))
    fifth = equal_groups(score, groups)
    names = ["easiest", *(f"fifth {k}" for k in range(2, groups)), "hardest"]
    return [Part("difficulty", names[k], fifth == k) for k in range(groups)]


def difficulty(evidence: Evidence, other: Answers) -> tuple[str, NDArray[np.float64]]:
    """How difficult every example is, [N], by nobody who is compared, and who says so.

    It is the mean loss of the twins, the network compared (`other`) not among them. Without such a twin it is
    cross-fitted: the mean loss of the dense network and the other on the nearest examples of the other half, so that
    no network's luck with an example decides in which group the example is.
    """
    judges = [twin for twin in evidence.twins if twin is not other]
    if judges:
        names = ", ".join(twin.name for twin in judges)
        return f"mean loss of {names}", np.mean([twin.loss for twin in judges], axis=0)
    both = (evidence.dense.loss + other.loss) / 2
    return (
        "mean loss of both networks on the nearest examples of the other half",
        both[evidence.neighbours].mean(axis=1),
    )
