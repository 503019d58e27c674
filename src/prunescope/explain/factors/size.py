"""Size."""

from dataclasses import replace
from typing import ClassVar

from prunescope.explain.arm import Arm
from prunescope.explain.factors.factor import Factor


class Size(Factor):
    """Fewer weights at the end of training.

    Alone: a smaller network from the start, narrower or with a random mask. Beside disturbance: what is set to zero at
    the events stays away, so that it says whether removal has to be permanent.

    Source: Jin et al. 2022, section 5 (width down-scaling); Bartoldson et al. 2020, section 4.3 (permanence).
    """

    name: ClassVar[str] = "size"
    says: ClassVar[str] = "the network ends with as few weights as the pruned one"

    def given(self, arm: Arm) -> Arm:
        """The arm that stays small."""
        return replace(arm, small=True)
