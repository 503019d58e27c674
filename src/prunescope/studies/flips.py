"""Single examples: answers that a treatment loses and wins, and what is found at the head of a list."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

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
