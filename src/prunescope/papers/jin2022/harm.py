"""Whom pruning harms, and how many the paper's rule finds harmed where nothing differs.

Belongs here: the region of "no more than by chance". Does not belong here: changes of groups and classes
(`subgroups.py`, `classes.py`).
"""

import math

from prunescope.studies import statistics
from prunescope.studies.region import Among, Direction


def by_chance(replicates: int) -> float:
    """The share of parts that the paper's rule calls worse where nothing differs; at least two replicates."""
    return statistics.false_positive_rate(max(2, replicates)) / 2


def no_more_than_by_chance(replicates: int, *, margin: float = 0.0) -> Among:
    """The region in which no more parts (groups, classes) lose by more than the margin than would by chance.

    Of samples [replicates, parts], changes of a loss or an error, pruned minus dense.
    """
    share = math.floor(100 * (1 - by_chance(replicates)))
    return Among(Direction("less", than=margin, or_matches=True), at_least=share, of=100)
