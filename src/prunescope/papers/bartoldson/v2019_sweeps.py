"""The two sweeps of iterative rates of the 2019 paper: total fraction free (Figure 3), and fixed (Figure A2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import Claims
from prunescope.papers.bartoldson.comparison import Compared, Comparison
from prunescope.papers.bartoldson.figures import Places
from prunescope.papers.bartoldson.paper import Figures
from prunescope.papers.bartoldson.quantities import label
from prunescope.papers.bartoldson.scales import Distinct, EventSize, Group, Layers
from prunescope.studies.statistics import rank_correlation

SCORES = ("l2", "E[BN]")
Targets = Distinct[Literal["S", "R", "L"]]
"""Targets by their subscripts."""


@dataclass(frozen=True)
class Sweep:
    """Both scores, all targets and several rates, and no pruning.

    runs: all arms.
    rates: by score and target, the rate, percent, and the name of each arm. Several arms may have one rate: periods of
        24 and 28 epochs have equally many events.
    """

    runs: Comparison
    rates: Mapping[tuple[str, str], Places]

    @classmethod
    def of(
        cls, group: Group, size: EventSize, targets: Targets, ways: Iterable[tuple[float, Layers, int, str]]
    ) -> "Sweep":
        """Every score and target at every rate.

        ways: the rate, layers, period, and what is added to the name of an arm.
        """
        made = {
            (score, letter, rate, period): arms.scored(group, at, size, letter, score, period=period, suffix=suffix)
            for score in SCORES
            for letter in targets
            for rate, at, period, suffix in ways
        }
        runs = arms.compared(group, size, *made.values())
        rates: dict[tuple[str, str], list[tuple[float, Comparison, str]]] = {}
        for (score, letter, rate, _), arm in made.items():
            rates.setdefault((score, letter), []).append((rate, runs, arm.name))
        return cls(runs, rates)

    def figures(self, drop: str, tag: str, heading: str, claims: Mapping[str, Claims]) -> Figures:
        """Drop, also with BatchNorm statistics estimated anew, and accuracy over the rate, a panel a score; optima.

        tag: what the names of the figures begin with.
        claims: by the quantity that is drawn.
        """
        panels = {
            score: {f"Prune_{letter}": at for (scored_by, letter), at in self.rates.items() if scored_by == score}
            for score in SCORES
        }
        sides = dict.fromkeys(self.runs.with_recalibrated([drop]), "left")
        sides |= {"best": "right", "final": "right, not selected"}
        titles = {quantity: f"{heading}, {side}: {label(quantity)}" for quantity, side in sides.items()}
        x_label = "iterative rate of the last convolution, %"
        yield from figures.each_curves(tag, titles, panels, claims, x_label=x_label)
        title, baseline = f"{heading}: the rate of highest accuracy", self.runs.names[0]
        yield figures.optima(f"{tag}-optimum", title, panels, x_label=x_label, baseline=baseline)

    def trend(self, quantity: str) -> Compared:
        """The rank correlation of a quantity with the rate, mean over scores and targets: one number a replicate."""

        def of(places: Places) -> ps.Quantity:
            rates = [rate for rate, _, _ in places]
            return (
                self._at(places)
                .values(quantity)
                .map(lambda values: [rank_correlation(rates, seed) if np.ptp(seed) > 0 else np.nan for seed in values])
            )

        def mean(*values: ps.Numbers) -> ps.Numbers:
            count = np.isfinite(values).sum(axis=0)
            return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)

        unit = "Spearman's correlation with the rate, mean over scores and targets"
        trend = ps.combined(mean, *map(of, self.rates.values()), unit=unit)
        return Compared(**vars(trend), needs=(self.runs.fits(quantity),))

    def gap(self, quantity: str, score: str, pair: str) -> Compared:
        """A quantity of one target minus that of another, such as "LS", at equal seeds, the mean over rates: [R]."""
        unit = f"{label(quantity)}, mean over rates"
        first, second = (
            self._at(self.rates[score, letter])
            .values(quantity)
            .map(lambda values: values.mean(axis=1), label=f"Prune_{letter}", unit=unit)
            for letter in pair
        )
        return Compared(**vars(first - second), needs=(self.runs.fits(quantity),))

    def _at(self, places: Places) -> Comparison:
        return self.runs.only(*(arm for _, _, arm in places))
