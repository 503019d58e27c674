"""Pruning-identified exemplars beside those that sets of dense networks flag by chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prunescope.base.streams import stream
from prunescope.measures.answers import Answers, exemplars, shares
from prunescope.studies.plot import Row


def flagged(dense: Sequence[Answers], pruned: Sequence[Answers]) -> NDArray[np.bool_]:
    """Which examples are exemplars, all networks taken, [N]."""
    return exemplars(_predictions(dense), _predictions(pruned))


def beside_chance(dense: Sequence[Answers], pruned: Sequence[Answers], name: str) -> Row:
    """The share of exemplars between random sets of both kinds, and between two sets of dense ones as large, percent.

    name: what the pruned networks are called.
    """
    generator = stream(0, "audit", "exemplars", *sorted(one.digest for one in pruned))
    size = max(1, min(len(pruned), len(dense) // 2))
    before, after = _predictions(dense), _predictions(pruned)
    share, chance = (100 * shares(before, of, size=size, generator=generator) for of in (after, None))
    low, high = np.quantile(chance, [0.025, 0.975])
    return {
        "networks": name,
        "networks of each kind": size,
        "exemplars, %": float(share.mean()),
        "by chance, %": float(chance.mean()),
        "by chance low": float(low),
        "by chance high": float(high),
        "false discovery rate": min(1.0, float(chance.mean() / share.mean())) if share.any() else 1.0,
    }


def _predictions(networks: Sequence[Answers]) -> NDArray[np.int64]:
    """Those of all networks, in an order that names and places do not change, [R, N]."""
    return np.stack([network.prediction for network in sorted(networks, key=lambda one: one.digest)])
