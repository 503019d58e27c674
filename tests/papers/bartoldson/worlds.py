"""Worlds in which the papers are right, or wrong in one thing: what pruning costs and gains in each, by recipe.

In all of them a run has a cost, the accuracy that an event takes, and a gain, by how much the network is better for it
in the end, both in percentage points. `published` is as the papers say, `worse` and `steadier` are not: what should
help harms, and what should cost accuracy raises it. Where the papers say that two things are alike, or that one is so
more than another, these tell them apart the other way round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from prunescope.base.steps import Clock
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm
from prunescope.training.interventions import BernoulliUnits, NoiseUnits, Prune, PruneUnits, ZeroUnits

LONGEST = 2
"""Batches of the longest noise at smoke scale."""
RATES = (0.0, 0.129, 0.225, 0.3, 0.9)
SWEEP: Mapping[str, tuple[float, ...]] = {
    "smallest": (0.0, 0.5, 1.9, 1.95, 0.6),
    "random": (0.0, 1.0, 2.0, 2.2, 0.75),
    "largest": (0.0, 2.9, 2.1, 2.04, 0.64),
}
"""Gains over the rate, 2020: S and R gain up to a moderate rate, L never; at the highest two the target says little."""
TURNED: Mapping[str, tuple[float, ...]] = {
    "smallest": (0.0, -0.5, -1.9, -1.8, -0.3),
    "random": (0.0, -1.0, -2.0, -1.5, 0.3),
    "largest": (0.0, -2.9, -2.1, -1.2, 0.9),
}
"""The opposite: S and R lose up to a moderate rate, L gains, and the target says much at the highest two."""


@dataclass(frozen=True)
class Law:
    """The cost of an event and the gain of a run, points."""

    cost: float = 0.0
    gain: float = 0.0


def published(run: Recipe) -> Law:
    """As the papers say."""
    cut = _cut(run)
    if cut is None:
        return Law()
    if isinstance(cut, Prune):
        return _single_weights(run, cut)
    rate = _rate(run, cut)
    if isinstance(cut.score, ExpectedActivation):
        cost = 10 * rate * {"smallest": 0.6, "random": 1.5, "largest": 4.0}[cut.target]
        return Law(cost, cost / 2)
    if isinstance(cut, PruneUnits | ZeroUnits) and not cut.normalization_follows:  # filters' norms in 2019
        cost = 10 * rate * {"smallest": 1.3, "random": 1.25, "largest": 1.2}[cut.target]
        return Law(cost, 6 * rate * _lasting(cut))
    place = {"smallest": 1.0, "random": 1.5, "largest": 2.0}[cut.target]
    if cut.score == FilterNorm(order=1):
        return Law(30 * rate * place, 15 * rate * place)
    cost, gain = 10 * rate * place, float(np.interp(rate, RATES, SWEEP[cut.target]))
    if _limit(cut):
        gain = rate * {"smallest": 5.0, "largest": 4.5}[cut.target]
    if isinstance(cut, BernoulliUnits):
        return Law(cost * (1 - cut.keep), gain * (1 - cut.keep))
    return Law(cost, gain * _lasting(cut))


def worse(run: Recipe) -> Law:
    """What should help harms: noise more than pruning, E[BN] less than other scores, and targets make a difference."""
    law, cut = published(run), _cut(run)
    if cut is None:
        return law
    if isinstance(cut, Prune):
        helps = {"smallest": 5.0, "largest": 1.0}[cut.target]
        return Law(law.cost, helps if run.task.data.augmentation else -law.gain)
    factor = 1.0
    if isinstance(cut.score, ExpectedActivation):
        factor = 0.3
    elif isinstance(cut, ZeroUnits | NoiseUnits | BernoulliUnits):
        factor = 5.0
    elif not cut.normalization_follows:
        factor = {"smallest": 1.0, "random": 2.0, "largest": 3.0}[cut.target]
    elif cut.score != FilterNorm(order=1) and not _limit(cut):
        return Law(law.cost, float(np.interp(_rate(run, cut), RATES, TURNED[cut.target])))
    return Law(law.cost, -factor * law.gain)


def steadier(run: Recipe) -> Law:
    """Events raise accuracy by what they should cost: with E[BN] by less, zeroing by more than pruning."""
    law, cut = published(run), _cut(run)
    factor = 3.0 if isinstance(cut, ZeroUnits) else 1.0
    if cut is not None and not isinstance(cut, Prune) and isinstance(cut.score, ExpectedActivation):
        factor = 0.3
    return Law(-factor * law.cost, law.gain)


WORLDS: Mapping[str, Callable[[Recipe], Law]] = {
    "published": published,
    "worse": worse,
    "steadier": steadier,
}


def _cut(run: Recipe):
    """What prunes or disturbs the network while it trains, if anything does."""
    clock = Clock(run.clock().epoch_steps, run.steps)
    cuts = [cut for cut in run.interventions if tuple(cut.onsets(clock)) != (0,)]
    return cuts[0] if cuts else None


def _rate(run: Recipe, cut) -> float:
    """The largest share of a layer that an event takes."""
    clock = Clock(run.clock().epoch_steps, run.steps)
    return max(layer.fraction / len(layer.steps(clock)) for layer in cut.layers)


def _limit(cut) -> bool:
    """Whether more than one layer loses most of its units, as in Table C1."""
    return sum(layer.fraction > 0.5 for layer in cut.layers) > 1


def _lasting(cut) -> float:
    """How much of the gain noise of its duration has."""
    return 1.0 if isinstance(cut, PruneUnits) else min(1.0, cut.batches / LONGEST)


def _single_weights(run: Recipe, cut: Prune) -> Law:
    """Conv4: the largest help, the more the fewer examples there are, but not with augmentation; the smallest harm."""
    largest = 0.0 if run.task.data.augmentation else 80 / run.task.data.source.train
    return Law(*{"smallest": (1.0, -1.0), "largest": (4.0, largest)}[cut.target])
