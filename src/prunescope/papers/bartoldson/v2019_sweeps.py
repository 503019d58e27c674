"""The two sweeps of iterative rates of the 2019 paper: total fraction free (Figure 3), and fixed (Figure A2)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.arms import L2
from prunescope.papers.bartoldson.claims import MORE, Says, fits
from prunescope.papers.bartoldson.quantities import Comparison, label
from prunescope.papers.bartoldson.scales import VGG11_SHORT, Distinct, EventSize, Layers
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.quantity import Quantity, combined
from prunescope.studies.results import Numbers

ScoreName = Literal["l2", "E[BN]"]
SCORES: tuple[ScoreName, ...] = ("l2", "E[BN]")
Letter = Literal["S", "R", "L"]
Targets = Distinct[Letter]
"""Targets by their subscripts."""
X_LABEL = "iterative rate of the last convolution, %"


@dataclass(frozen=True)
class Sweep:
    """Both scores, all targets and several rates, and no pruning.

    one: all arms.
    rates: by score and target, the rate, percent, and the name of each arm. Several arms may have one rate: periods of
        24 and 28 epochs have equally many events.
    """

    one: Comparison
    rates: Mapping[tuple[ScoreName, Letter], Sequence[tuple[float, str]]]

    def figures(
        self, drop: str, *, tag: str, heading: str, claims: Mapping[str, Iterable[Claim]]
    ) -> tuple[Figure, ...]:
        """Drop, also with BatchNorm statistics estimated anew, and accuracy over the rate, a panel a score; optima.

        claims: by the quantity that is drawn.
        """
        places = {
            score: {f"Prune_{letter}": at for (own, letter), at in self.rates.items() if own == score}
            for score in SCORES
        }
        sides = [*(("left", anew) for anew in self.one.with_recalibrated([drop]))]
        drawn = [
            figures.curves(
                {
                    score: {
                        series: [(rate, self.one.value(arm, quantity)) for rate, arm in at]
                        for series, at in by_series.items()
                    }
                    for score, by_series in places.items()
                },
                quantity,
                name=f"{tag}-{quantity.replace('_', '-')}",
                title=f"{heading}, {side}: {label(quantity)}",
                x_label=X_LABEL,
                claims=claims.get(quantity, ()),
            )
            for side, quantity in [*sides, ("right", "best"), ("right, not selected", "final")]
        ]
        title = f"{heading}: the rate of highest accuracy"
        best = figures.optima(self.one, places, name=f"{tag}-optimum", title=title, x_label=X_LABEL)
        return *drawn, best

    def rises(self, quantity: str, *, name: str, says: str, place: str) -> Claim:
        """A quantity rises with the rate: mean rank correlation over scores and targets, one number a replicate."""

        def trend(rates: Sequence[float], values: Numbers) -> list[float]:
            return [
                statistics.rank_correlation(rates, seed) if np.ptp(seed) > 0 else np.nan for seed in values.T
            ]

        def mean(*values: Numbers) -> Numbers:
            left = iter(values)
            trends = np.array(
                [
                    trend([rate for rate, _ in at], np.array([next(left) for _ in at]))
                    for at in self.rates.values()
                ]
            )
            count = np.isfinite(trends).sum(axis=0)
            return np.where(count > 0, np.nansum(trends, axis=0) / np.maximum(count, 1), np.nan)

        parts = [self.one.value(arm, quantity) for at in self.rates.values() for _, arm in at]
        unit = "Spearman's correlation with the rate, mean over scores and targets"
        needs = (fits(self.one, quantity),)
        return Says(self.one, place=place)(
            name, says, combined(mean, *parts, unit=unit), MORE, needs=needs
        )

    def over_rates(self, quantity: str, score: ScoreName, letter: Letter) -> Quantity:
        """The mean over rates of a quantity, [R]."""
        parts = [self.one.value(arm, quantity) for _, arm in self.rates[score, letter]]
        return combined(
            lambda *values: np.mean(values, axis=0),
            *parts,
            label=f"Prune_{letter}",
            unit=f"{label(quantity)}, mean over rates",
        )


def sweep(
    size: EventSize,
    targets: Targets,
    ways: Sequence[tuple[float, Layers, int, str]],
) -> Sweep:
    """Every score and target at every rate.

    ways: the rate, layers, period, and what is added to the name of an arm.
    """
    made, rates = [], dict[tuple[ScoreName, Letter], list[tuple[float, str]]]()
    for score in SCORES:
        expected = score == "E[BN]"  # which takes the normalization along, see Figure 1
        for letter in targets:
            for rate, layers, period, suffix in ways:
                arm = arms.pruned(
                    VGG11_SHORT,
                    layers,
                    size,
                    letter,
                    period=period,
                    score=ExpectedActivation() if expected else L2,
                    normalization_follows=expected,
                    suffix=f" {score}{suffix}",
                )
                made.append(arm)
                rates.setdefault((score, letter), []).append((rate, arm.name))
    plain = arms.plain(VGG11_SHORT, size)
    return Sweep(Comparison((plain, *made), observables=arms.observables(size)), rates)
