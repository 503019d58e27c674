"""A step of a stack recorded once on a GPU and played again: a small network then costs no time on the host.

A recorded step always does the same to the same memory, so it is only taken where nothing is decided on the host: no
stop rule looks at the loss, the optimizer takes all members at once, the network draws nothing, every batch is as large
as the first. What differs from step to step is copied to fixed places before it is played. The results are those of the
step itself; the same kernels run.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from prunescope.training.engines.stacked.working import Stacked

WARM_UP = 3
"""Steps that are taken as usual first: libraries choose their kernels and allocate then."""


class Recorded:
    """Steps of a stack, played from a recording once there is one."""

    def __init__(self, work: Stacked, *, record: bool) -> None:
        """record: whether to record at all; without, every step is taken anew at the fixed places."""
        self.work, self.record = work, record
        self.size = min(work.program.batch, len(work.program.problem.train))
        self.taken = 0
        self.places: tuple[Tensor, Tensor, Tensor] | None = None
        self.losses: Tensor | None = None
        self.play: Callable[[], None] | None = None

    def step(self, rate: Tensor) -> Tensor:
        """Takes the next step at the learning rates [R]; the losses before it, [R], nats."""
        x, y = self.work.batches.next()
        if x.shape[1] != self.size:  # the last batch of an epoch
            return self._take(x, y, rate)
        if self.places is None:
            self.places = x.clone(), y.clone(), rate.clone()
        for place, now in zip(self.places, (x, y, rate), strict=True):
            place.copy_(now, non_blocking=True)
        self.taken += 1
        if not self.record or self.taken <= WARM_UP:
            return self._take(*self.places)
        if self.play is None:
            self._make()
        assert self.play is not None and self.losses is not None
        self.play()
        return self.losses.clone()

    def _take(self, x: Tensor, y: Tensor, rate: Tensor) -> Tensor:
        """One step in place: parameters, moments and statistics stay where they are."""
        losses, leaves = self.work.losses_on(x, y)
        before = self.work.buffers
        self.work.update(losses, leaves, rate)
        with torch.no_grad():
            for name, leaf in before.items():
                leaf.copy_(self.work.buffers[name])
        self.work.buffers = before
        return losses.detach()

    def _make(self) -> None:
        """Records a step without taking it."""
        assert self.places is not None
        graph, places = torch.cuda.CUDAGraph(), self.places
        # What other threads do meanwhile (`training/background.py`) has streams of its own and is not recorded.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self.losses = self._take(*places)
        self.play = graph.replay


def recordable(work: Stacked) -> bool:
    """Whether a step of the stack decides nothing on the host."""
    watched = any(stepper.program.stop.watches for stepper in work.steppers)
    watched = watched or not work.program.optimizer.stackable
    return work.on_gpu and not watched and not work.forward.draws
