"""What several networks answer to the same examples, and one of them against the dense one.

What changed, for whom, and whether it is more than another seed changes; each statistic is computed once, when it is
first asked for. Belongs here: answers side by side. Does not belong here: the statistics themselves (`paired.py`), how
they are told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.streams import stream
from prunescope.measures.answers import Answers, calibration_error, divergence
from prunescope.studies import paired, statistics
from prunescope.studies.groups import Column, Part, by_difficulty, membership, parts_of
from prunescope.studies.paired import Family, Flags, Floor
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval

Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """All networks' answers to one set of examples.

    dense, pruned, twins: the network audited, what pruning made of it, other seeds of the dense one.
    controls: networks that were treated like the pruned ones without pruning, or that are small without it.
    judges: what says which examples are difficult where there is no twin, and takes no other part.
    index: places in the source, [N].
    classes: their names. groups: the user's columns by name.
    neighbours: places of the nearest examples in the other half, int64 [N, K].
    """

    dense: Answers
    pruned: tuple[Answers, ...]
    twins: tuple[Answers, ...]
    index: Labels
    classes: tuple[str, ...]
    groups: Mapping[str, Column]
    neighbours: Labels
    controls: tuple[Answers, ...] = ()
    judges: tuple[Answers, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def label(self) -> Labels:
        """The labels used, [N]."""
        return self.dense.label

    @property
    def seeds(self) -> tuple[Answers, ...]:
        """All dense networks, the audited one first."""
        return (self.dense, *self.twins)

    @property
    def networks(self) -> tuple[Answers, ...]:
        """All of them."""
        return (self.dense, *self.pruned, *self.controls, *self.twins)

    @cached_property
    def dense_wrong(self) -> Flags:
        """Which dense networks are wrong on which example, [D, N]."""
        return np.stack([seed.wrong for seed in self.seeds])

    @cached_property
    def mean_probability(self) -> Numbers:
        """The mean over all dense networks, [N, C]."""
        return np.asarray(np.mean([np.exp(seed.log_probability) for seed in self.seeds], axis=0))

    @cached_property
    def parts(self) -> list[Part]:
        """All groups of examples but those by difficulty."""
        return parts_of(Column(self.classes, self.label), self.groups)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Every example's numbers by every network, from which all tables can be computed again: [N] by name."""
        table: dict[str, NDArray[np.generic]] = {"index": self.index, "label": self.label}
        for title, column in self.groups.items():
            table[f"group {title}"] = np.array(column.names)[column.codes]
        for one in (*self.networks, *self.judges):
            numbers = {"prediction": one.prediction, "confidence": one.confidence, "loss": one.loss, "brier": one.brier}
            numbers |= {} if one is self.dense else {"divergence": Contrast(self, one).divergence}
            table |= {f"{name} {one.name}": values for name, values in numbers.items()}
        return table


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

    @property
    def parts(self) -> list[Part]:
        """All groups of examples but those by difficulty."""
        return self.evidence.parts

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
        return self.alone(self.change).worst

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
        judge, score = self.difficulty
        parts = by_difficulty(score)
        drawn = self._draws("difficulty")
        return judge, parts, paired.simultaneous(self.change, membership(parts), drawn, level=self.level)

    @property
    def difficulty(self) -> tuple[str, Numbers]:
        """How difficult every example is, [N], by nobody who is compared, and who says so.

        It is the mean loss of the twins, the network compared not among them, or of judges. Without any it is
        cross-fitted: the mean loss of both networks on the nearest examples of the other half, so that no network's
        luck with an example decides in which group the example is.
        """
        others = [twin for twin in self.evidence.twins if twin is not self.other]
        if judges := others or self.evidence.judges:
            names = ", ".join(judge.name for judge in judges)
            return f"mean loss of {names}", np.mean([judge.loss for judge in judges], axis=0)
        nearest = ((self.dense.loss + self.other.loss) / 2)[self.evidence.neighbours].mean(axis=1)
        return "mean loss of both networks on the nearest examples of the other half", nearest

    def alone(self, change: Numbers, *, bounded: bool = True) -> Family:
        """One mean over examples with its 95 % interval, a family of one group."""
        everything = np.ones((len(change), 1), dtype=bool)
        return paired.simultaneous(change, everything, self._draws("alone"), bounded=bounded)

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
        return self.alone(of(self.other) - of(self.dense), bounded=False).worst

    def _draws(self, purpose: str) -> torch.Generator:
        return stream(0, "audit", purpose, self.other.digest)
