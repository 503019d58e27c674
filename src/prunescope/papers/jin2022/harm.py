"""Whom pruning harms, by the paper's rule, and how many that rule finds where nothing differs.

Belongs here: the rule applied to groups or classes, one by one. Does not belong here: their changes (`subgroups.py`,
`classes.py`).
"""

import math

import numpy as np

from prunescope.studies import statistics
from prunescope.studies.region import Count
from prunescope.studies.results import Numbers


def unharmed(change: Numbers) -> Numbers:
    """1 for each part of the examples that is not worse by the paper's rule, else 0: [parts].

    change: [replicates, parts], pruned minus dense, of a loss or an error. Raises TooFewReplicates for one replicate.
    """
    return np.array([float(one.mean() <= 0 or not statistics.differs(one)) for one in change.T])


def by_chance(replicates: int) -> float:
    """The share of parts that the paper's rule calls worse where nothing differs; at least two replicates."""
    return statistics.false_positive_rate(max(2, replicates)) / 2


def no_more_than_by_chance(replicates: int) -> Count:
    """The region in which no more parts are worse than by chance."""
    return Count(math.floor(100 * (1 - by_chance(replicates))), of=100)
