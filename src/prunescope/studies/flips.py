"""Single answers that a treatment loses and wins, beside those that another seed does."""

from collections.abc import Iterator

import numpy as np

from prunescope.studies.plot import Row
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import t_interval


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
