"""Choice."""

from dataclasses import replace
from typing import ClassVar

from prunescope.explain.arm import Arm
from prunescope.explain.factors.factor import Factor


class Choice(Factor):
    """The weights that the user's score removes, not random ones: in each layer as many either way.

    Source: Frankle et al. 2021, section 5 (masks shuffled within layers).
    """

    name: ClassVar[str] = "choice"
    says: ClassVar[str] = "the score chooses the weights, not chance within the same layers"
    needs: ClassVar[frozenset[str]] = frozenset({"size", "disturbance"})

    def given(self, arm: Arm) -> Arm:
        """The arm that loses the weights that the pruned network loses."""
        return replace(arm, chosen=True)
