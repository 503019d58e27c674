"""Where a run is."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import Tensor

from prunescope.base.state import TrainState, Weights

Row = dict[str, float | int | str]
"""One row of a trace: step (cumulative), local, phase, epoch, and a probe's columns."""


@dataclass(frozen=True)
class Progress:
    """Where a run is: everything that a resume needs.

    start: cumulative step of the run's first state. running: sum of training losses since the epoch began (0-D).
    kept: weights of requested moments so far, by moment id. traces: rows so far, by probe id. members: how many
    replicas its engine's program held, in order, as often as that changed; no part of a result.
    """

    start: int
    state: TrainState
    running: Tensor
    kept: dict[str, Weights] = field(default_factory=dict)
    traces: dict[str, list[Row]] = field(default_factory=dict)
    finished: bool = False
    members: tuple[int, ...] = ()

    @property
    def local(self) -> int:
        """Steps since the run's start."""
        return self.state.step - self.start

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields exchanged."""
        return replace(self, **changes)
