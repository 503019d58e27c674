"""One network against the dense one: what changed, for whom, and whether it is more than another seed changes.

Belongs here: the groups of examples that are looked at, and the statistics of a contrast, each computed once. Does not
belong here: how they are told (`tables.py`, `claims.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.audit.evidence import Answers, Evidence
from prunescope.base.streams import stream
from prunescope.measures.answers import calibration_error, divergence
from prunescope.studies import paired, statistics
from prunescope.studies.groups import equal_groups
from prunescope.studies.paired import Family, Flags, Floor
from prunescope.studies.statistics import Interval

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


Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contrast:
    """A network against the dense one, on the same examples.

    level: of joint intervals; several pruned networks share 5 % among them.
    """

    evidence: Evidence
    other: Answers
    level: float = paired.LEVEL

    @property
    def dense(self) -> Answers:
        """The network that it is compared with."""
        return self.evidence.dense

    @cached_property
    def change(self) -> Numbers:
        """1 where an example was lost, -1 where it was won, [N]."""
        return self.other.wrong.astype(np.float64) - self.dense.wrong

    @property
    def lost(self) -> Flags:
        """Right before and wrong now, [N]."""
        return np.asarray(self.change > 0)

    @property
    def won(self) -> Flags:
        """Wrong before and right now, [N]."""
        return np.asarray(self.change < 0)

    @property
    def mcnemar(self) -> float:
        """Exact two-sided p-value that as many were lost as won."""
        return statistics.mcnemar(int(self.lost.sum()), int(self.won.sum()))

    @property
    def agreement(self) -> float:
        """Share of examples with the same prediction, right or wrong."""
        return float((self.dense.prediction == self.other.prediction).mean())

    @cached_property
    def divergence(self) -> Numbers:
        """KL(dense || other), nats, [N]."""
        return divergence(self.dense.log_probability, self.other.log_probability)

    @cached_property
    def parts(self) -> list[Part]:
        """All groups of examples but those by difficulty."""
        return parts_of(self.evidence)

    def places(self, *families: str) -> NDArray[np.int64]:
        """Which of the parts belong to some families; no family named: to those of the user's groups."""
        own = {part.family for part in self.parts} - {"all", "class"}
        return np.flatnonzero([part.family in (families or own) for part in self.parts])

    @property
    def grouped(self) -> NDArray[np.int64]:
        """Which of the parts are classes and groups."""
        return np.arange(1, len(self.parts))

    @cached_property
    def overall(self) -> Interval:
        """The change in error over all examples, a fraction; by itself, not jointly with groups."""
        return self.alone(self.change)

    @cached_property
    def changes(self) -> Family:
        """The change in error of every part, jointly, over examples like these."""
        return paired.simultaneous(self.change, membership(self.parts), self._draws("parts"), level=self.level)

    @cached_property
    def floor(self) -> Floor:
        """The excess of every part over the dense networks. Raises UsageError without twins."""
        families = {"all": 0, "class": 0}
        codes = [families.setdefault(part.family, len(families)) for part in self.parts]
        return paired.beyond_seeds(
            self.other.wrong,
            self.evidence.dense_wrong,
            membership(self.parts),
            np.array(codes),
            self._draws("floor"),
            level=self.level,
        )

    @cached_property
    def by_difficulty(self) -> tuple[str, list[Part], Family]:
        """Who says what is difficult, the groups, and the change in error of each, jointly."""
        judge, score = difficulty(self.evidence, self.other)
        parts = by_difficulty(score)
        drawn = self._draws("difficulty")
        return judge, parts, paired.simultaneous(self.change, membership(parts), drawn, level=self.level)

    def alone(self, change: Numbers, *, bounded: bool = True) -> Interval:
        """The 95 % interval of one mean over examples."""
        everything = np.ones((len(change), 1), dtype=bool)
        return paired.simultaneous(change, everything, self._draws("alone"), bounded=bounded).worst

    @cached_property
    def calibration(self) -> Interval:
        """The change in calibration error, a fraction."""
        before, after = ((one.confidence, ~one.wrong) for one in (self.dense, self.other))

        def change(rows: NDArray[np.int64]) -> float:
            worse, better = (calibration_error(says[rows], right[rows]) for says, right in (after, before))
            return worse - better

        return paired.by_halves(change, len(self.evidence), self._draws("calibration"))

    def moved(self, of: Callable[[Answers], Numbers]) -> Interval:
        """The change in the mean of a number of every example, such as its loss."""
        return self.alone(of(self.other) - of(self.dense), bounded=False)

    def _draws(self, purpose: str) -> torch.Generator:
        return stream(0, "audit", purpose, self.other.digest)
