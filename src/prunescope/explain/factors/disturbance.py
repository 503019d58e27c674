"""Disturbance."""

from dataclasses import replace
from typing import ClassVar

from prunescope.explain.arm import Arm
from prunescope.explain.factors.factor import Factor


class Disturbance(Factor):
    """Weights become zero while the network trains, at the events of pruning.

    Alone: they are released at once and train on from zero. Beside size: they are gone, from the events on and not from
    the start, so that it says whether it matters when the network becomes small.

    Source: Bartoldson et al. 2020, section 4.3 (zeroing noise at the events of pruning).
    """

    name: ClassVar[str] = "disturbance"
    says: ClassVar[str] = "weights become zero while the network trains, at the events of pruning"

    def given(self, arm: Arm) -> Arm:
        """The arm that is disturbed at every event."""
        return replace(arm, disturbed=True)
