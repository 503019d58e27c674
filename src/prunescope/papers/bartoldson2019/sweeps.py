"""The two sweeps of iterative rates of the 2019 paper: total fraction free, and total fraction fixed.

Belongs here: the arms of Figures 3 and A2, and what both figures draw and claim. Does not belong here: their texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from prunescope.papers.bartoldson import curves, pruning, views
from prunescope.papers.bartoldson.arms import Arm, Comparison
from prunescope.papers.bartoldson.optimum import optima
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import Distinct, EventSize
from prunescope.papers.bartoldson.statements import fits
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2019 import setting
from prunescope.papers.bartoldson2019.setting import ScoreName
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results

SCORES: tuple[ScoreName, ...] = ("l2", "E[BN]")
Targets = Distinct[Literal["S", "R", "L"]]
"""Targets by their subscripts."""


@dataclass(frozen=True)
class Sweep:
    """Both scores, all targets and several rates, and no pruning.

    arms: by score and target, the rate, percent, and the name of each arm. Several arms may have one rate: periods of
    24 and 28 epochs have equally many events.
    """

    comparison: Comparison
    _: KW_ONLY
    arms: Mapping[tuple[ScoreName, str], Sequence[tuple[float, str]]]

    def figures(self, drop: str, *, tag: str, heading: str) -> tuple[Figure, ...]:
        """Drop, also with BatchNorm statistics estimated anew, and accuracy over the rate, a panel a score; optima."""
        panels: dict[str, dict[str, curves.Places]] = {
            score: {
                f"Prune_{letter}": [(rate, self.comparison, name) for rate, name in arms]
                for (own, letter), arms in self.arms.items()
                if own == score
            }
            for score in SCORES
        }
        drops = views.with_recalibrated((drop,), self.comparison)
        sides = [*(("left", one) for one in drops), ("right", "best"), ("right, not selected", "final")]
        x_label = "iterative rate of the last convolution, %"
        drawn = [
            curves.over(
                panels,
                quantity,
                name=f"{tag}-{quantity.replace('_', '-')}",
                title=f"{heading}, {side}: {views.label(quantity)}",
                x_label=x_label,
            )
            for side, quantity in sides
        ]
        best = optima(
            panels,
            name=f"{tag}-optimum",
            title=f"{heading}: the rate of highest accuracy",
            x_label=x_label,
            baseline=NONE,
        )
        return *drawn, best

    def rises(self, quantity: str, *, name: str, says: str, place: str) -> Claim:
        """A quantity rises with the rate: mean rank correlation over scores and targets, one number a replicate."""

        def sample(results: Results) -> Numbers:
            found = np.array([self._trend(results, quantity, arms) for arms in self.arms.values()])
            there = np.isfinite(found).sum(axis=0)
            return np.where(there > 0, np.nansum(found, axis=0) / np.maximum(there, 1), np.nan)

        return Claim(
            name,
            says,
            basis="paper",
            place=place,
            region=Direction("greater"),
            sample=sample,
            preconditions=(fits(self.comparison, quantity),),
            unit="Spearman's correlation with the rate, mean over scores and targets",
        )

    def _trend(self, results: Results, quantity: str, arms: Sequence[tuple[float, str]]) -> Numbers:
        values = np.array([self.comparison.values(results, name, quantity) for _, name in arms])
        rates = [rate for rate, _ in arms]
        return np.array(
            [statistics.rank_correlation(rates, seed) if np.ptp(seed) > 0 else np.nan for seed in values.T]
        )

    def over_rates(self, results: Results, quantity: str, score: ScoreName, letter: str) -> Numbers:
        """The mean over rates of a quantity, [R]."""
        values = [self.comparison.values(results, name, quantity) for _, name in self.arms[score, letter]]
        return np.asarray(np.mean(values, axis=0))


def sweep(size: EventSize, made: Sequence[tuple[ScoreName, str, float, Arm]]) -> Sweep:
    """The sweep of arms with their score, target and rate."""
    plain = pruning.plain_arm(GROUPS["vgg11-short"], size)
    arms: dict[tuple[ScoreName, str], list[tuple[float, str]]] = {}
    for score, letter, rate, one in made:
        arms.setdefault((score, letter), []).append((rate, one.name))
    comparison = Comparison((plain, *(one for *_, one in made)), look=setting.look(size))
    return Sweep(comparison, arms=arms)
