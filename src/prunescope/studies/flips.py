"""Single examples: answers that a treatment loses and wins, exemplars of pruning, the head of a list."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from prunescope.base.streams import stream
from prunescope.measures.answers import Answers, exemplars, shares
from prunescope.studies.plot import Row
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import clopper_pearson, t_interval


def flips(before: Numbers, after: Numbers) -> Iterator[Row]:
    """Percent of the test examples of a group that are lost (right before, wrong after) or won, a row each.

    Each beside the same between a replicate before and the next one before (another seed), and the mean difference of
    the two with its 95 % interval. Groups are made by the networks before that are in neither comparison, which there
    are from three replicates on: nobody's own errors make what is hard for it.

    before, after: whether an answer is right, 0 or 1: [replicates, examples].
    """
    count, twin = len(before), np.roll(before, 1, axis=0)
    easy = np.array([np.delete(before, [k, k - 1], axis=0).min(axis=0, initial=1.0) for k in range(count)])
    groups = {"all": np.ones_like(before)}
    if count > 2:
        groups |= {"right in all other dense networks": easy, "wrong in one of them": 1.0 - easy}
    for group, inside in groups.items():
        sizes = inside.sum(axis=1)
        for change, mine in (("lost", before), ("won", 1.0 - before)) if sizes.min() > 0 else ():
            by_after, by_seed = (100 * (inside * mine * (to != before)).sum(axis=1) / sizes for to in (after, twin))
            more = t_interval(by_after - by_seed)
            row = {"pruning": by_after.mean(), "another seed": by_seed.mean(), "more": more.estimate}
            yield {"examples": group, "change": change, **row, "low": more.low, "high": more.high, "n": count}


def found_among(hits: NDArray[np.bool_], lengths: Iterable[int], labels: Row, share: str) -> Iterator[Row]:
    """The share of hits among the first n of a list, percent, with its exact 95 % interval: a row for each length.

    hits: along the list. labels: columns that are the same in all rows. share: the name of the column of the share.
    """
    counts = np.cumsum(hits)
    for n in lengths:
        found = clopper_pearson(int(counts[n - 1]), n).times(100)
        yield {**labels, "examples": n, share: found.estimate, "low": found.low, "high": found.high}


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
