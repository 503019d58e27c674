"""The position of a run, as a checkpoint stores it."""

from dataclasses import dataclass, field

from torch import Tensor

from prunescope.base.state import Replaceable, TrainState, Weights

Row = dict[str, float | int | str]
"""One row of a trace: step (cumulative), local, phase, epoch, and a probe's columns."""


@dataclass(frozen=True)
class Progress(Replaceable):
    """Everything that is needed to continue a run.

    start: cumulative step of the first state of the run.
    state: the present state.
    running: sum of the training losses since the epoch began, nats, 0-D.
    kept: weights of the requested moments so far, by the id of the moment.
    traces: rows so far, by the id of the probe.
    finished: whether the run has ended.
    members: numbers of replicas that the engine's program has held, in order, one entry for each change; no part of a
        result.
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
