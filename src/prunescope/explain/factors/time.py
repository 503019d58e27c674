"""Time."""

from dataclasses import replace
from typing import ClassVar

from prunescope.explain.arm import Arm
from prunescope.explain.factors.factor import Factor


class Time(Factor):
    """As many steps as the pruned network takes, by the same schedule: extended training.

    Source: Jin et al. 2022, section 4 (extended dense training).
    """

    name: ClassVar[str] = "time"
    says: ClassVar[str] = "the schedule is replayed as often as for the pruned network"

    def given(self, arm: Arm) -> Arm:
        """The arm whose schedule is replayed."""
        return replace(arm, replayed=True)
