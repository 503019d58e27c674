"""What pruning consists of: parts of the treatment that can be given without the others.

Another part is another `Factor`, in a file of its own, handed to `explain(factors=...)`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from prunescope.explain.arm import Arm


@dataclass(frozen=True)
class Factor:
    """A part of what pruning does to a network. All factors together are pruning itself.

    name: one word, in tables, sentences and the names of claims.
    says: what it is, for the report.
    given: from an arm to the arm with this part of the treatment.
    needs: names of other factors of which at least one has to be there; none: it can be given alone.
    """

    name: str
    says: str
    given: Callable[[Arm], Arm]
    needs: frozenset[str] = frozenset()


FACTORS = (
    # Source: Jin et al. 2022, section 4 (extended dense training).
    Factor(
        "time", "the schedule is replayed as often as for the pruned network", lambda arm: replace(arm, replayed=True)
    ),
    # Alone: small from the start. Beside disturbance: what is set to zero stays away, so that it says whether removal
    # has to be permanent. Source: Jin et al. 2022, section 5 (width); Bartoldson et al. 2020, section 4.3 (permanence).
    Factor("size", "the network ends with as few weights as the pruned one", lambda arm: replace(arm, small=True)),
    # Alone: weights are released at once. Beside size: they are gone from the events on and not from the start, so that
    # it says whether it matters when a network becomes small. Source: Bartoldson et al. 2020, section 4.3 (zeroing).
    Factor(
        "disturbance",
        "weights become zero while the network trains, at the events of pruning",
        lambda arm: replace(arm, disturbed=True),
    ),
    # Source: Frankle et al. 2021, section 5 (masks shuffled within layers).
    Factor(
        "choice",
        "the score chooses the weights, not chance within the same layers",
        lambda arm: replace(arm, chosen=True),
        needs=frozenset({"size", "disturbance"}),
    ),
)
"""Pruning, taken apart."""
